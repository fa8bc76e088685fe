import { describe, expect, it } from 'vitest';
import { jsonLines } from './json-lines.ts';

async function linesOf(pieces: readonly string[], longest?: number): Promise<string[]> {
  const lines: string[] = [];
  const all = (async function* () {
    yield* pieces;
  })();
  for await (const line of jsonLines(all, longest)) lines.push(line);
  return lines;
}

describe('lines of JSON', () => {
  it('end at line feeds, wherever the pieces end, and at nothing else', async () => {
    const texts = ['a\u2028b', 'c\u2029\r', ''].map((it) => JSON.stringify(it));
    const whole = texts.map((it) => `${it}\n`).join('');
    expect(await linesOf([whole])).toEqual(texts);
    expect(await linesOf([...whole])).toEqual(texts);
  });

  it('have a last one that nothing ended', async () => {
    expect(await linesOf(['1\n', '2'])).toEqual(['1', '2']);
  });

  it('are no longer than lines of ours are', async () => {
    expect(await linesOf(['12345\n', '12345'], 5)).toEqual(['12345', '12345']);
    await expect(linesOf(['12345', '6'], 5)).rejects.toMatchObject({ code: 'E_FRAME' });
  });
});
