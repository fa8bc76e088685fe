import { describe, expect, it } from 'vitest';
import { replaceBlock } from './block.ts';

const BEGIN = '# BEGIN silverlining demo';
const END = '# END silverlining demo';

describe('replaceBlock', () => {
  it('appends, replaces in place and removes, leaving the rest as it is', () => {
    const added = replaceBlock('127.0.0.1 localhost', 'demo', '10.0.0.1 a');
    expect(added).toBe(`127.0.0.1 localhost\n${BEGIN}\n10.0.0.1 a\n${END}\n`);
    const replaced = replaceBlock(`${added}# after\n`, 'demo', '10.0.0.2 b\n10.0.0.3 c\n');
    expect(replaced).toBe(`127.0.0.1 localhost\n${BEGIN}\n10.0.0.2 b\n10.0.0.3 c\n${END}\n# after\n`);
    expect(replaceBlock(replaced, 'demo', '')).toBe('127.0.0.1 localhost\n# after\n');
  });

  it('keeps blocks of other names', () => {
    const other = '# BEGIN silverlining other\nx\n# END silverlining other\n';
    expect(replaceBlock(other, 'demo', '')).toBe(other);
  });

  it('changes nothing the second time', () => {
    const once = replaceBlock('a\n\nb\n', 'demo', 'x');
    expect(replaceBlock(once, 'demo', 'x')).toBe(once);
  });

  it('loses no line of others when the end marker is missing', () => {
    expect(replaceBlock(`a\n${BEGIN}\nb\nc\n`, 'demo', 'x')).toBe(`a\nb\nc\n${BEGIN}\nx\n${END}\n`);
  });

  it('keeps one block where there were two', () => {
    const twice = `${BEGIN}\n1\n${END}\n${BEGIN}\n2\n${END}\n`;
    expect(replaceBlock(twice, 'demo', '3')).toBe(`${BEGIN}\n3\n${END}\n`);
  });
});
