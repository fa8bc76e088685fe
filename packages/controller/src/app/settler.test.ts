import { SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { idle, ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { CALM as DRAIN } from '../core/release/watch.ts';
import { deploy, nodeRecord, release, serverSet } from '../io/store/contract-records.ts';
import type { Store } from '../ports.ts';
import { ASK_AGAIN, createSettler, type Settler } from './settler.ts';

const SET = 'shop';
const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

let store: Store;
let fleet: FakeFleet;
let clock: ManualClock;
let settler: Settler;
let stop: AbortController;

beforeEach(async () => {
  [store, fleet, clock, stop] = [memoryStore(), new FakeFleet(), new ManualClock(), new AbortController()];
  const log = { info: () => undefined, warn: () => undefined };
  settler = createSettler({ store, fleet, clock, log }, stop.signal, () => undefined);
  await store.putSet(SET, serverSet(SET));
  await store.putNode(nodeRecord(SET, 'app1', { roles: ['appserver'] }));
  fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) });
});

/** Commits a release as a rollout does. */
async function commit(instance: string): Promise<void> {
  const { lease } = await store.acquireLease(SET, 'test', instance, clock.now());
  await store.putRelease(release(SET, instance, { createdAt: clock.now() }));
  await store.putDeploy(deploy(SET, instance, instance, { startedAt: clock.now() }));
  const decision = { set: SET, token: lease.token, active: { blog: instance }, deploys: [instance], now: clock.now() };
  await store.commit(decision);
  await store.putDeploy(deploy(SET, instance, instance, { state: 'ended', startedAt: clock.now() }));
  await store.releaseLease(SET, lease.token);
  await clock.advance(1000);
}

const switched = () => ({ epoch: 2, at: clock.now() });

async function addBalancer(answer: () => unknown = switched): Promise<void> {
  await store.putNode(nodeRecord(SET, 'balancer', { roles: ['balancer'] }));
  fleet.connect('balancer', { switch: answer });
}

describe('after an operation', () => {
  it('stops the old release when a drain has passed', async () => {
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(DRAIN - 1);
    expect(fleet.bodies('settle')).toEqual([]);
    await clock.advance(1);
    expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: [NEW, OLD], running: [NEW] }]);
  });

  it('does nothing while the next one runs, however long, and begins anew after it', async () => {
    await commit(OLD);
    await settler.during(SET, async () => undefined);
    await clock.advance(DRAIN - 1);
    await settler.during(SET, async () => {
      await clock.advance(10 * DRAIN);
      await commit(NEW);
      expect(fleet.bodies('settle')).toEqual([]);
    });
    await clock.advance(DRAIN - 1);
    expect(fleet.bodies('settle')).toEqual([]);
    await clock.advance(1);
    expect(fleet.bodies('settle')).toHaveLength(1);
  });

  it('is not settled by the end of one that was refused because another one runs', async () => {
    await commit(OLD);
    await settler.during(SET, async () => {
      await expect(settler.during(SET, () => Promise.reject(new Error('busy')))).rejects.toThrow('busy');
      await clock.advance(10 * DRAIN);
      expect(fleet.asked).toEqual([]);
    });
  });

  it('ends a settling that is under way before the next one begins', async () => {
    await commit(OLD);
    let given: AbortSignal | undefined;
    fleet.connect('app1', {
      settle: (_body, { signal }) => {
        given = signal;
        return new Promise(() => undefined);
      },
    });
    await settler.during(SET, async () => undefined);
    await clock.advance(DRAIN);
    expect(given?.aborted).toBe(false);
    await settler.during(SET, async () => expect(given?.aborted).toBe(true));
  });

  it('is settled once for all nodes that come back together', async () => {
    await addBalancer();
    await commit(OLD);
    for (let i = 0; i < 20; i++) {
      settler.cameBack(SET);
      await clock.advance(50);
    }
    await clock.advance(DRAIN);
    expect(fleet.bodies('switch')).toHaveLength(1);
    expect(fleet.bodies('settle')).toHaveLength(1);
  });

  it('settles other sets meanwhile', async () => {
    await store.putSet('other', serverSet('other'));
    await store.putNode(nodeRecord('other', 'app9', { roles: ['appserver'] }));
    await store.putRelease(release('other', OLD));
    fleet.connect('app9', { settle: () => ({ stopped: [], removed: [] }) });
    await settler.during(SET, async () => {
      settler.soon('other');
      await clock.advance(DRAIN);
    });
    expect(fleet.asked.map((it) => it.uuid)).toEqual(['app9']);
  });
});

describe('a series of operations that leaves no time for a drain', () => {
  const nth = (n: number) => `blog.20260131_${String(n).padStart(3, '0')}`;
  const running = () => fleet.bodies('settle').map((it) => it.running);
  /** Each takes a second, and is watched from then on. */
  const deployAll = async (from: number, to: number): Promise<void> => {
    for (let n = from; n <= to; n++) {
      await settler.during(SET, async () => {
        await commit(nth(n));
        await watched(n);
      });
    }
  };
  const watched = async (n: number): Promise<void> => {
    const row = (await store.deploys(SET)).find((it) => it.instance === nth(n));
    if (row === undefined) expect.unreachable();
    const previous = n === 1 ? null : nth(n - 1);
    await store.putDeploy({ ...row, record: { ...row.record, previous, watching: true } });
  };

  it('has what had its drain settled now and then, and nothing that served later', async () => {
    await deployAll(1, 2);
    await idle();
    expect(running()).toEqual([]);
    await deployAll(3, 30);
    await idle();
    expect(running()).toHaveLength(10);
    for (const [i, kept] of running().entries()) {
      // After operation 3, 6, 9, ...: each ended a second after the one before.
      const last = 3 * (i + 1);
      expect(kept).toContain(nth(last));
      // Those that were switched from within the drain, too.
      expect(kept.length).toBeLessThanOrEqual(DRAIN / 1000 + 2);
      if (last > DRAIN / 1000 + 1) expect(kept).not.toContain(nth(last - DRAIN / 1000 - 1));
    }
    await clock.advance(DRAIN);
    expect(running().at(-1)).toEqual([nth(30)]);
  });

  it('keeps what it may have to go back to', async () => {
    await deployAll(1, 2);
    for (let n = 0; n < 30; n++) await settler.during(SET, () => clock.advance(1_000));
    expect(running().length).toBeGreaterThan(5);
    for (const kept of running()) expect(kept).toEqual(expect.arrayContaining([nth(1), nth(2)]));
  });

  it('settles nothing as long as a balancer has not confirmed the map', async () => {
    await addBalancer(() => {
      throw new SlError('E_SWITCH', 'HAProxy does not run');
    });
    await deployAll(1, 30);
    expect(running()).toEqual([]);
  });

  it('watches what was switched to as well where a node could not be settled', async () => {
    const settle = () => Promise.reject(new SlError('E_INTERNAL', 'systemd does not answer'));
    fleet.connect('app1', { settle, serving: () => ({ apps: [] }) });
    await deployAll(1, 3);
    await clock.advance(2_000);
    expect(running()).toHaveLength(1);
    expect(fleet.bodies('serving').length).toBeGreaterThan(0);
  });

  it('has the next one wait for that', async () => {
    let answer: (it: unknown) => void = () => undefined;
    fleet.connect('app1', { settle: () => new Promise((resolve) => (answer = resolve)) });
    await deployAll(1, 3);
    await idle();
    let done = false;
    const next = settler.during(SET, async () => {
      done = true;
    });
    await idle();
    expect([running().length, done]).toEqual([1, false]);
    answer({ stopped: [], removed: [] });
    await next;
    expect(done).toBe(true);
  });
});

describe('as long as a balancer has not confirmed the committed map', () => {
  const confirmed = async (): Promise<void> => {
    expect(fleet.bodies('settle')).toEqual([]);
    await clock.advance(DRAIN - 1);
    expect(fleet.bodies('settle')).toEqual([]);
    await clock.advance(1);
    expect(fleet.bodies('settle')).toHaveLength(1);
  };

  it('keeps the old release up when it is not connected, until a drain after it came back', async () => {
    await addBalancer();
    fleet.drop('balancer');
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(10 * ASK_AGAIN);
    fleet.connect('balancer', { switch: switched });
    settler.soon(SET);
    await confirmed();
  });

  it('keeps it up when the balancer cannot take the map, and asks again', async () => {
    let works = false;
    await addBalancer(() => {
      if (!works) throw new SlError('E_SWITCH', 'HAProxy does not run');
      return switched();
    });
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(ASK_AGAIN - 1);
    expect(fleet.bodies('settle')).toEqual([]);
    works = true;
    await clock.advance(1);
    await confirmed();
  });

  it('counts the drain from its answer', async () => {
    let answer: (it: unknown) => void = () => undefined;
    await addBalancer(() => new Promise((resolve) => (answer = resolve)));
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(2 * DRAIN);
    expect(fleet.bodies('switch')).toEqual([{ epoch: 2, active: { blog: NEW } }]);
    answer(switched());
    await idle();
    await confirmed();
  });

  it('asks every one of them', async () => {
    await addBalancer();
    await store.putNode(nodeRecord(SET, 'balancer2', { roles: ['balancer'] }));
    await commit(NEW);
    settler.soon(SET);
    await clock.advance(2 * DRAIN);
    expect(fleet.bodies('settle')).toEqual([]);
  });
});

describe('what is settled', () => {
  it('forgets releases beyond `keep`', async () => {
    for (const n of [1, 2, 3, 4, 5]) await commit(`blog.20260131_00${n}`);
    settler.soon(SET);
    await clock.advance(DRAIN);
    const kept = ['blog.20260131_005', 'blog.20260131_004', 'blog.20260131_003'];
    expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: kept, running: kept.slice(0, 1) }]);
    expect((await store.releases(SET)).map((it) => it.instance).sort()).toEqual([...kept].sort());
  });

  it('includes an app that only a node remembers', async () => {
    await commit(OLD);
    const instances = [{ app: 'gone', instance: 'gone.20260131_001', state: 'stopped' as const, digest: 'd' }];
    fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) }, { instances });
    settler.soon(SET);
    await clock.advance(DRAIN);
    expect(fleet.bodies('settle')).toContainEqual({ app: 'gone', keep: [], running: [] });
  });

  it('leaves alone a node that has in force what this controller never committed', async () => {
    await commit(OLD);
    const hello = { epoch: 1, active: { blog: 'blog.20260130_007' } };
    fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) }, hello);
    settler.soon(SET);
    await clock.advance(DRAIN);
    expect(fleet.asked).toEqual([]);
  });

  it('is nothing once the controller stops', async () => {
    await commit(OLD);
    settler.soon(SET);
    stop.abort();
    await clock.advance(10 * DRAIN);
    expect(fleet.asked).toEqual([]);
  });
});
