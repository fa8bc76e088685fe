import { describe, expect, it } from 'vitest';
import { firstCut } from '../core/release/chunker.ts';
import { daemonCommand } from './daemon-environment.ts';

describe("the daemon's command", () => {
  it('names the function that V8 compiles with all it has', () => {
    const { args } = daemonCommand('/start.ts', {}, { state: '/s', cache: '/c' });
    expect(args).toContain(`--turbo-filter=${firstCut.name}`);
    expect(args.slice(-2)).toEqual(['/start.ts', 'daemon']);
  });
});
