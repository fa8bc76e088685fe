import { SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  addBalancer,
  clock,
  commit,
  failing,
  fleet,
  SET,
  settler,
  stop,
  store,
  switched,
  useSettling,
} from '../../../../test/fakes/settling.ts';
import { AILING, CALM } from '../core/release/watch.ts';
import { nodeRecord } from '../io/store/contract-records.ts';
import { settleSet } from './settle.ts';
import { ASK_AGAIN } from './settler.ts';

const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

useSettling();

let [healthy, run] = [true, 'a'];
const serving = () => ({ ...switched(), apps: [{ app: 'blog', instance: NEW, healthy, run }] });
const settle = () => ({ stopped: [], removed: [] });

beforeEach(async () => {
  [healthy, run] = [true, 'a'];
  fleet.connect('app1', { serving, settle });
  await commit(OLD);
});

const deployNew = () => settler.during(SET, () => commit(NEW, { previous: OLD, watching: true }));
const settled = () => fleet.asked.filter((it) => it.type === 'settle').map((it) => it.uuid);
const isWatched = async () => (await store.deploy(NEW))?.record.watching === true;
async function seconds(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await clock.advance(1000);
}

describe('while a balancer is away', () => {
  beforeEach(async () => {
    await addBalancer();
    fleet.drop('balancer');
  });

  it('what was switched to is taken back when it has failed', async () => {
    await deployNew();
    await seconds(2);
    healthy = false;
    await seconds(AILING);
    expect(failing.map((it) => it.error.code)).toEqual(['E_APP_UNHEALTHY']);
    // Nor does it settle by itself what is being taken back.
    fleet.connect('balancer', { switch: switched });
    await seconds(2 * (ASK_AGAIN / 1000));
    expect(fleet.bodies('switch')).toEqual([]);
    expect(fleet.bodies('settle')).toEqual([]);
  });

  it('what was switched to is trusted when it was calm, and the old release stays up', async () => {
    await deployNew();
    await seconds(CALM / 1000);
    expect(await isWatched()).toBe(false);
    await seconds(10 * (ASK_AGAIN / 1000));
    expect(fleet.bodies('settle')).toEqual([]);
  });
});

describe('when the store could not be written', () => {
  it('watching and settling are tried again', async () => {
    await deployNew();
    const full = new SlError('E_STORE', 'the disk is full');
    const put = vi.spyOn(store, 'changeDeploys').mockRejectedValueOnce(full);
    await seconds(CALM / 1000);
    expect(put).toHaveBeenCalledOnce();
    expect(await isWatched()).toBe(true);
    await seconds((ASK_AGAIN + CALM) / 1000);
    expect(await isWatched()).toBe(false);
    expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: [NEW, OLD], running: [NEW] }]);
  });
});

describe('an agent that comes back again and again', () => {
  /** Every third second, as one that is killed whenever it was started. */
  const flap = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      settler.cameBack(SET);
      await seconds(3);
    }
  };

  it('does not keep a release that crashes again and again from being taken back', async () => {
    await deployNew();
    await flap(2);
    run = 'b';
    await flap(2);
    expect(failing).toEqual([]);
    run = 'c';
    await flap(1);
    expect(failing.map((it) => it.error.code)).toEqual(['E_APP_CRASHED']);
  });

  it('does not keep the other nodes from being settled', async () => {
    await deployNew();
    await flap(4);
    expect(settled()).toEqual(['app1']);
  });

  it('is settled a drain after it has come back for good: it may have switched only then', async () => {
    await store.putNode(nodeRecord(SET, 'app2', { roles: ['appserver'] }));
    await deployNew();
    await seconds(CALM / 1000 - 2);
    fleet.now = clock.now();
    fleet.connect('app2', { serving, settle });
    settler.cameBack(SET);
    await seconds(CALM / 1000 - 1);
    expect(settled()).toEqual(['app1']);
    await seconds(3);
    expect(settled()).toEqual(['app1', 'app1', 'app2']);
  });
});

it('nothing is taken back by a controller that is stopping: it would not live to tell every node', async () => {
  const stopping = ({ log }: { log?: number | undefined }) => {
    if (log !== undefined) stop.abort();
    return serving();
  };
  fleet.connect('app1', { serving: stopping, settle });
  await deployNew();
  await seconds(2);
  healthy = false;
  await seconds(AILING);
  expect(stop.signal.aborted).toBe(true);
  expect(failing).toEqual([]);
});

/** Two nodes: one stops the old release, and one cannot be settled. */
async function haveOneThatCannot(): Promise<void> {
  fleet.connect('app1', { serving, settle: () => ({ stopped: [OLD], removed: [] }) });
  await store.putNode(nodeRecord(SET, 'app2', { roles: ['appserver'] }));
  const cannot = () => {
    throw new SlError('E_SWITCH', 'its map cannot be written');
  };
  fleet.connect('app2', { serving, settle: cannot });
}

it('what a node could not do is said also where what another one did cannot be recorded', async () => {
  await haveOneThatCannot();
  await commit(NEW, { previous: OLD });
  await clock.advance(CALM);
  vi.spyOn(store, 'changeDeploys').mockRejectedValue(new SlError('E_STORE', 'the disk is full'));
  const settling = settleSet({ store, fleet, clock }, SET, new AbortController().signal);
  await expect(settling).rejects.toMatchObject({ code: 'E_SWITCH' });
});

it('what one node stopped is recorded also where another one cannot be settled', async () => {
  await haveOneThatCannot();
  await deployNew();
  await seconds(CALM / 1000);
  expect(settled()).toEqual(['app1', 'app2']);
  expect((await store.deploy(NEW))?.record.timeline).toContainEqual(expect.objectContaining({ event: 'drained' }));
});

it('what a node stopped of one app is recorded also where it cannot settle another one', async () => {
  const hello = { instances: [{ app: 'shop', instance: 'shop.20260131_001', state: 'stopped' as const, digest: 'd' }] };
  const settleBlog = ({ app }: { app: string }) => {
    if (app !== 'blog') throw new SlError('E_SWITCH', 'its map cannot be written');
    return { stopped: [OLD], removed: [] };
  };
  fleet.connect('app1', { serving, settle: settleBlog }, hello);
  await deployNew();
  await seconds(CALM / 1000);
  expect(fleet.bodies('settle')).toHaveLength(2);
  expect((await store.deploy(NEW))?.record.timeline).toContainEqual(expect.objectContaining({ event: 'drained' }));
});
