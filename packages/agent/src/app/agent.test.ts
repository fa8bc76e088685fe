import { type HealthReport, SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { idle, ManualClock } from '../../../../test/fakes/manual-clock.ts';
import type { ControlSession, Handlers, Link, NodeProbe, Releases, SelfUpdate, SessionEnd } from '../ports.ts';
import { type Agent, createAgent } from './agent.ts';

let clock: ManualClock;
let done: string[];

beforeEach(() => {
  clock = new ManualClock();
  done = [];
});

/** An agent that was just updated, and runs; `session` is what comes of each connection. */
function startUpdated(
  session: (agent: Agent) => Promise<SessionEnd>,
  link: Partial<Link> = {},
  isStaging = () => false,
): Agent {
  const stop = new AbortController();
  const none = () => Promise.reject(new SlError('E_INTERNAL', 'no test needs it'));
  const update: SelfUpdate = {
    ...{ program: { agentDigest: 'digest' }, takeRuntime: none, install: none },
    begin: async () => 'prove',
    confirm: async () => void done.push('confirmed'),
    rollBack: async () => void done.push('rolled back'),
  };
  const agent = createAgent({
    ...{ probe: { facts: async () => ({}) } as unknown as NodeProbe, generation: () => 1 },
    releases: {
      ...{ isStaging, epoch: () => 0, heardEpoch: () => undefined, active: () => ({}), instances: async () => [] },
    } as unknown as Releases,
    health: { report: async () => ({}) as HealthReport, watch: none },
    link: { session: () => session(agent), validity: none, renew: none, ...link },
    update,
    clock: Object.assign(clock, { random: () => 0.5 }),
    restart() {
      done.push('restarted');
      stop.abort();
    },
    log: () => undefined,
  });
  void agent.run({} as Handlers, stop.signal);
  return agent;
}

describe('an agent that was updated', () => {
  it('goes back to the bundle before when the controller does not welcome it in a minute', async () => {
    startUpdated(async () => ({ kind: 'closed', reason: 'nobody listens' }));
    await clock.advance(59_999);
    expect(done).toEqual([]);
    await clock.advance(1);
    expect(done).toEqual(['rolled back', 'restarted']);
  });

  it('stays what it is once it was welcomed, also when the controller is away a minute later', async () => {
    let isThere = true;
    startUpdated(async (agent) => {
      if (isThere) await agent.welcomed(10_000);
      isThere = false;
      return { kind: 'closed', reason: 'the controller stops' };
    });
    await idle();
    for (let second = 0; second < 61; second++) await clock.advance(1_000);
    expect(done).toEqual(['confirmed']);
  });
});

it('an agent that is called connects at once, and then waits no longer than at first', async () => {
  let tries = 0;
  const agent = startUpdated(async () => {
    tries += 1;
    return { kind: 'closed', reason: 'nobody listens' };
  });
  for (let second = 0; second < 30; second++) await clock.advance(1_000);
  const before = tries;
  agent.called();
  await idle();
  expect(tries).toBe(before + 1);
  await clock.advance(2_000);
  expect(tries).toBe(before + 2);
});

describe('a certificate that the clock of its node has run past', () => {
  it('is renewed, and the new one, which it has run past as well, after a while', async () => {
    let renewals = 0;
    const welcomed = async (agent: Agent): Promise<SessionEnd> => {
      await agent.welcomed(10_000);
      return new Promise(() => undefined);
    };
    const renew = async () => void renewals++;
    startUpdated(welcomed, { validity: async () => ({ from: -10, to: -2 }), renew });
    for (let minute = 0; minute < 60; minute++) await clock.advance(60_000);
    expect(renewals).toBe(6);
  });
});

it('an agent that stages a release reports its health when that is done, or after another interval', async () => {
  const start = clock.monotonic();
  const reports: number[] = [];
  let isStaging = false;
  const session: Link['session'] = async ({ opened }) => {
    await opened({ notify: (type) => type === 'health' && reports.push(clock.monotonic() - start) } as ControlSession);
    return new Promise(() => undefined);
  };
  startUpdated(
    () => Promise.reject(new Error('not used')),
    { session },
    () => isStaging,
  );
  await idle();
  isStaging = true;
  for (let second = 0; second < 42; second++) await clock.advance(1_000);
  isStaging = false;
  for (let second = 0; second < 12; second++) await clock.advance(1_000);
  expect(reports).toEqual([0, 20_000, 40_000, 50_000]);
});
