import { expect, it } from 'vitest';
import type { Clock } from '../ports.ts';
import { isAwaited } from './grace.ts';

const STARTED = 1_000_000;
/** A controller that runs for so many milliseconds. */
const after = (ms: number) => ({ startedAt: STARTED, clock: { now: () => STARTED + ms } as Clock });

it.each([
  ['was heard by the controller before this one', 59_000, STARTED - 5_000, true],
  ['was never heard', 59_000, undefined, true],
  ['was heard by this one, and went away', 59_000, STARTED + 2_000, false],
  ['had a minute to come back', 61_000, STARTED - 5_000, false],
])('an agent that %s: on its way back after %i ms?', (_what, ms, lastSeen, awaited) => {
  expect(isAwaited(after(ms), lastSeen)).toBe(awaited);
});
