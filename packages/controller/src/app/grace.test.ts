import { expect, it } from 'vitest';
import type { AgentSession, Clock, Fleet, NodeRecord, Store } from '../ports.ts';
import { agentsBack, isAwaited } from './grace.ts';

const STARTED = 1_000_000;
/** A controller that runs for so many milliseconds. */
const after = (ms: number) => ({
  startedAt: STARTED,
  clock: { now: () => STARTED + ms, sleep: async () => undefined } as Partial<Clock> as Clock,
});

it.each([
  ['was heard by the controller before this one', 59_000, STARTED - 5_000, true],
  ['was never heard', 59_000, undefined, true],
  ['was heard by this one, and went away', 59_000, STARTED + 2_000, false],
  ['had a minute to come back', 61_000, STARTED - 5_000, false],
  ['has come, for all that a clock says that was set back', -3_600_000, STARTED - 5_000, false],
])('an agent that %s: on its way back after %i ms?', (_what, ms, lastSeen, awaited) => {
  expect(isAwaited(after(ms), lastSeen)).toBe(awaited);
});

/** The wait is over before anybody is called. */
function nobodyToCall() {
  return { store: { set: async () => undefined } as unknown as Store, log: { info: () => undefined } };
}

it.each([
  ['shortly after the start', 10_000, 0, 30_000],
  ['for a moment, later', 50_000, 5_000, 5_000],
  ['not at all, later', 50_000, 0, undefined],
  ['not at all, when the clock was set back', -3_600_000, 0, undefined],
])('agents that are away are waited for %s', async (_when, ms, least, deadline) => {
  const waited: [string, number][] = [];
  const fleet = {
    session: (uuid: string) => (uuid === 'here' ? ({} as AgentSession) : undefined),
    waitFor: (uuid: string, limits: { deadline: number }) => {
      waited.push([uuid, limits.deadline]);
      return Promise.reject(new Error('it does not come'));
    },
  } as unknown as Fleet;
  const nodes = [
    { uuid: 'here', name: 'here', lastSeen: STARTED },
    { uuid: 'away', name: 'away', lastSeen: STARTED },
    { uuid: 'never', name: 'never', lastSeen: undefined },
  ] as NodeRecord[];
  const told: string[] = [];
  const { signal } = new AbortController();
  const deps = { ...after(ms), fleet, ...nobodyToCall() } as unknown as Parameters<typeof agentsBack>[0];
  await agentsBack(deps, nodes, { signal, least, onWait: (names) => told.push(names) });
  expect(waited).toEqual(deadline === undefined ? [] : [['away', deadline]]);
  expect(told).toEqual(deadline === undefined ? [] : ['away']);
});
