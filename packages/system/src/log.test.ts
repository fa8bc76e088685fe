import { expect, it } from 'vitest';
import { logOf, newestLines } from './log.ts';

it('a log keeps its newest lines, as many as there is room for in bytes', () => {
  const lines = ['one', 'två', 'three', 'fyra'];
  expect(newestLines(lines)).toEqual(lines);
  expect(newestLines(['één', 'één', 'één', 'één', 'één'], 20)).toEqual(['één', 'één', 'één', 'één']);
});

it('a line that is too long is cut between two characters', () => {
  expect(newestLines(['silver', '🥈🥈🥈'], 24)).toEqual(['silver', '🥈']);
});

it('the last lines of a command are few and short enough for a message', () => {
  const stdout = Array.from({ length: 30 }, (_, i) => `${i} ${'é'.repeat(20_000)}`).join('\n');
  const log = logOf({ stdout, stderr: 'failed\n\n' });
  expect(log.at(-1)).toBe('failed');
  expect(log.at(-2)).toMatch(/^29 é+$/);
  expect(Buffer.byteLength(log.join(''))).toBeLessThanOrEqual(32 << 10);
});
