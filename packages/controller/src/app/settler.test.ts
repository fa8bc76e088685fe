import { SlError } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { idle } from '../../../../test/fakes/manual-clock.ts';
import {
  addBalancer,
  clock,
  commit,
  fleet,
  SET,
  settler,
  stop,
  store,
  switched,
  useSettling,
} from '../../../../test/fakes/settling.ts';
import { CALM as DRAIN } from '../core/release/watch.ts';
import { nodeRecord, release, serverSet, topology } from '../io/store/contract-records.ts';
import { ASK_AGAIN, GATHER } from './settler.ts';

const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

useSettling();

describe('after an operation', () => {
  it('stops the old release when a drain has passed', async () => {
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(DRAIN - 1);
    expect(fleet.bodies('settle')).toEqual([]);
    await clock.advance(1);
    expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: [NEW, OLD], running: [NEW] }]);
  });

  it('leaves running what a deploy of another controller may be taken back to', async () => {
    await commit(OLD);
    await commit(NEW, { previous: OLD });
    await store.changeDeploys(SET, (rows) => rows.slice(-1).map((row) => ({ ...row, state: 'committed' })));
    await settler.during(SET, async () => undefined);
    await clock.advance(DRAIN);
    expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: [NEW, OLD], running: [NEW, OLD] }]);
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
    // Balancers are asked before the drain, and after it.
    expect([fleet.bodies('switch').length, fleet.bodies('settle').length]).toEqual([2, 1]);
  });

  it('is settled without a balancer that could not be set up', async () => {
    await store.putNode(nodeRecord(SET, 'balancer', { roles: ['balancer'], state: 'created' }));
    await commit(OLD);
    await settler.during(SET, async () => undefined);
    await clock.advance(DRAIN);
    expect(fleet.bodies('settle')).toHaveLength(1);
  });

  it('settles other sets meanwhile', async () => {
    await store.putSet('other', serverSet('other'));
    await store.putNode(nodeRecord('other', 'app9', { roles: ['appserver'] }));
    await store.putRelease(release('other', OLD));
    fleet.connect('app9', { settle: () => ({ stopped: [], removed: [] }) });
    await settler.during(SET, async () => {
      await settler.during('other', async () => undefined);
      await clock.advance(DRAIN);
    });
    expect(fleet.asked.map((it) => it.uuid)).toEqual(['app9']);
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
    settler.cameBack(SET);
    await clock.advance(GATHER);
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
    let answer: ((it: unknown) => void) | undefined;
    await addBalancer(() => (answer === undefined ? new Promise((resolve) => (answer = resolve)) : switched()));
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(2 * DRAIN);
    expect(fleet.bodies('switch')).toEqual([{ epoch: 2, active: { blog: NEW } }]);
    answer?.(switched());
    await idle();
    await confirmed();
  });

  it('begins the drain anew when it says otherwise at its end', async () => {
    await addBalancer(() => {
      if (fleet.bodies('switch').length === 2) throw new SlError('E_SWITCH', 'HAProxy loaded an older map');
      return switched();
    });
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(DRAIN);
    await confirmed();
  });

  it('begins the drain anew when one was away meanwhile', async () => {
    await addBalancer();
    await commit(OLD);
    await settler.during(SET, () => commit(NEW));
    await clock.advance(DRAIN - 1);
    fleet.now = clock.now();
    fleet.connect('balancer', { switch: switched });
    await clock.advance(1);
    expect(fleet.bodies('switch')).toHaveLength(2);
    await confirmed();
  });

  it('asks every one of them', async () => {
    await addBalancer();
    await store.putNode(nodeRecord(SET, 'balancer2', { roles: ['balancer'] }));
    await commit(NEW);
    await settler.during(SET, async () => undefined);
    await clock.advance(2 * DRAIN);
    expect(fleet.bodies('settle')).toEqual([]);
  });
});

describe('what is settled', () => {
  it('forgets releases beyond `keep`', async () => {
    for (const n of [1, 2, 3, 4, 5]) await commit(`blog.20260131_00${n}`);
    await settler.during(SET, async () => undefined);
    await clock.advance(DRAIN);
    const kept = ['blog.20260131_005', 'blog.20260131_004', 'blog.20260131_003'];
    expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: kept, running: kept.slice(0, 1) }]);
    expect((await store.releases(SET)).map((it) => it.instance).sort()).toEqual([...kept].sort());
  });

  it('includes an app that only a node remembers', async () => {
    await commit(OLD);
    const instances = [{ app: 'gone', instance: 'gone.20260131_001', state: 'stopped' as const, digest: 'd' }];
    fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) }, { instances });
    await settler.during(SET, async () => undefined);
    await clock.advance(DRAIN);
    expect(fleet.bodies('settle')).toContainEqual({ app: 'gone', keep: [], running: [] });
  });

  it('is all that there is on a node that is no app server any more, once every balancer knows that', async () => {
    await commit(OLD);
    const told = topology(SET, 3);
    const nodes = [{ ...told.nodes[0], name: 'former.shop.internal', roles: ['balancer' as const] }];
    await store.putTopology(SET, { ...told, nodes: nodes as typeof told.nodes });
    const instances = [{ app: 'blog', instance: OLD, state: 'active' as const, digest: 'd'.repeat(64) }];
    const answers = { settle: () => ({ stopped: [], removed: [] }), switch: switched };
    await store.putNode(nodeRecord(SET, 'former', { roles: ['balancer'] }));
    const hello = { epoch: 1, active: { blog: OLD }, instances };
    const settles = async (generation: number) => {
      fleet.connect('former', answers, { ...hello, generation });
      await settler.during(SET, async () => undefined);
      await clock.advance(2 * DRAIN);
      return fleet.asked.filter((it) => it.type === 'settle' && it.uuid === 'former').map((it) => it.body);
    };
    expect(await settles(2)).toEqual([]);
    expect(await settles(3)).toEqual([{ app: 'blog', keep: [], running: [] }]);
  });

  it('leaves alone a node that has in force what this controller never committed', async () => {
    await commit(OLD);
    const hello = { epoch: 1, active: { blog: 'blog.20260130_007' } };
    fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) }, hello);
    await settler.during(SET, async () => undefined);
    await clock.advance(DRAIN);
    expect(fleet.asked).toEqual([]);
  });

  it('is nothing once the controller stops', async () => {
    await commit(OLD);
    await settler.during(SET, async () => undefined);
    stop.abort();
    await clock.advance(10 * DRAIN);
    expect(fleet.asked).toEqual([]);
  });
});
