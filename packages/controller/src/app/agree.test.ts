import { SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { idle, ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { buildTopology } from '../core/topology.ts';
import { deploy, nodeRecord, release, serverSet } from '../io/store/contract-records.ts';
import type { NodeRecord, Store } from '../ports.ts';
import { type Agreement, agree, requireAgreement } from './agree.ts';
import { greetAgents } from './greet.ts';

const SET = 'shop';
const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];
const INSTANCE = { app: 'blog', instance: NEW, state: 'active' as const, digest: 'd'.repeat(64) };

let store: Store;
let fleet: FakeFleet;
let clock: ManualClock;
let nodes: NodeRecord[];
let token: number;
/** Sets of which a node was greeted to the end, and could be settled. */
let cameBack: string[];

beforeEach(async () => {
  [store, fleet, clock, cameBack] = [memoryStore(), new FakeFleet(), new ManualClock(), []];
  await store.putSet(SET, serverSet(SET));
  nodes = [nodeRecord(SET, 'app1', { roles: ['appserver'] }), nodeRecord(SET, 'app2', { roles: ['appserver'] })];
  for (const node of nodes) await store.putNode(node);
  token = (await store.acquireLease(SET, 'test', 'op', 1)).lease.token;
  const settler = {
    isBusy: () => false,
    soon: () => undefined,
    cameBack: (set: string) => cameBack.push(set),
    during: <R>(_set: string, work: () => Promise<R>) => work(),
  };
  greetAgents(deps(), settler, new AbortController().signal);
});

function deps(): Agreement {
  return { store, fleet, clock, log: { info: () => undefined, warn: () => undefined } };
}

/** What the controller knows from an older copy of its state. */
async function commitOld(): Promise<void> {
  await store.putRelease(release(SET, OLD));
  await store.commit({ set: SET, token, active: { blog: OLD }, deploys: [], now: 1 });
}

async function connect(
  uuid: string,
  hello: { epoch: number; heardEpoch?: number; active?: Record<string, string> },
): Promise<void> {
  const answers = { welcome: () => ({ epoch: hello.epoch }), abort: () => ({}) };
  fleet.connect(uuid, answers, { ...hello, active: hello.active ?? { blog: NEW }, instances: [INSTANCE] });
  await idle();
}

it('greets an agent to the end that was told a newer topology meanwhile', async () => {
  await store.putTopology(SET, buildTopology(serverSet(SET), nodes));
  const topology = () => {
    throw new SlError('E_STALE_EPOCH', 'topology 1 is older than 2, which this node has');
  };
  fleet.connect('app1', { welcome: () => ({ epoch: 0 }), topology });
  await idle();
  expect(fleet.bodies('topology')).toHaveLength(1);
  expect(cameBack).toEqual([SET]);
});

it('looks at no other node for one that comes back with a release that was live once', async () => {
  await commitOld();
  await store.putRelease(release(SET, NEW));
  await store.commit({ set: SET, token, active: { blog: NEW }, deploys: [], now: 2 });
  const all = vi.spyOn(store, 'nodes');
  const instances = [OLD, NEW].map((instance) => ({ ...INSTANCE, instance }));
  fleet.connect('app1', { welcome: () => ({ epoch: 2 }) }, { epoch: 2, active: { blog: NEW }, instances });
  await idle();
  expect(cameBack).toEqual([SET]);
  expect(all).not.toHaveBeenCalled();
});

describe('a controller that lost its state', () => {
  it('goes on above the epoch of the agents', async () => {
    await connect('app1', { epoch: 7 });
    await connect('app2', { epoch: 5 });
    expect(await store.set(SET)).toMatchObject({ heardEpoch: 7, active: {} });
    expect(await store.commit({ set: SET, token, active: { blog: OLD }, deploys: [], now: 1 })).toBe(8);
  });

  it('goes on above an epoch, too, that an agent was told of and could not follow to', async () => {
    await connect('app1', { epoch: 5, heardEpoch: 8 });
    expect(await store.set(SET)).toMatchObject({ heardEpoch: 8 });
  });

  it('takes nothing down: it tells agents nothing new, removes nothing and commits nothing', async () => {
    await connect('app1', { epoch: 7 });
    await connect('app2', { epoch: 5 });
    expect(fleet.bodies('welcome').map(({ epoch, active }) => [epoch, active])).toEqual([
      [7, { blog: NEW }],
      [5, { blog: NEW }],
    ]);
    expect(fleet.bodies('abort')).toEqual([]);
    expect(await agree(deps(), { name: SET, token, nodes })).toMatchObject({ epoch: 0, committed: false });
  });

  it('does not follow an epoch that cannot be', async () => {
    await connect('app1', { epoch: Number.MAX_SAFE_INTEGER });
    expect(await store.set(SET)).toMatchObject({ heardEpoch: 0 });
  });
});

describe('a controller whose state is older than what the nodes have', () => {
  beforeEach(commitOld);

  it('leaves the nodes as they are until somebody asks, then commits its row anew', async () => {
    await connect('app1', { epoch: 7 });
    await connect('app2', { epoch: 5 });
    expect(fleet.bodies('welcome').map(({ epoch }) => epoch)).toEqual([1, 1]);
    expect(fleet.bodies('abort')).toEqual([]);
    expect(await agree(deps(), { name: SET, token, nodes })).toMatchObject({ epoch: 8, active: { blog: OLD } });
    expect(await store.set(SET)).toMatchObject({ epoch: 8, active: { blog: OLD } });
  });

  it('commits nothing where all agree, or are only behind', async () => {
    await connect('app1', { epoch: 1, active: { blog: OLD } });
    await connect('app2', { epoch: 0, active: {} });
    expect(await agree(deps(), { name: SET, token, nodes })).toMatchObject({ epoch: 1 });
  });
});

describe('deploying some apps', () => {
  beforeEach(commitOld);
  const refusal = async (changed: string[]) =>
    requireAgreement({ fleet }, (await store.set(SET)) ?? fail(), { nodes, changed });
  const fail = (): never => {
    throw new Error('the set is gone');
  };

  it('is refused where it would take away what others serve', async () => {
    await connect('app1', { epoch: 7 });
    await expect(refusal([])).rejects.toMatchObject({ code: 'E_CONFLICT', message: expect.stringContaining(NEW) });
    await refusal(['blog']);
  });

  it('is not where the nodes agree', async () => {
    await connect('app1', { epoch: 1, active: { blog: OLD } });
    await refusal([]);
  });
});

it('nothing is tidied as long as a balancer is away, or knows of a commit that the controller does not', async () => {
  const hello = { epoch: 0, active: {}, instances: [INSTANCE] };
  const answers = { welcome: () => ({ epoch: 0 }), abort: () => ({}), switch: () => ({ epoch: 0, at: 0 }) };
  await store.putNode(nodeRecord(SET, 'bal1', { roles: ['balancer'] }));
  const aborted = deploy(SET, 'd1', NEW, { state: 'ended' });
  await store.putDeploy({ ...aborted, record: { ...aborted.record, outcome: 'aborted' } });
  fleet.connect('app1', answers, hello);
  await idle();
  fleet.connect('bal1', answers, { ...hello, epoch: 7, active: { blog: NEW }, instances: [] });
  fleet.connect('app1', answers, hello);
  await idle();
  expect(fleet.bodies('abort')).toEqual([]);
  fleet.connect('bal1', answers, { ...hello, instances: [] });
  fleet.connect('app1', answers, hello);
  await idle();
  // As the work of its deploy: agents remove nothing that another one made.
  expect(fleet.bodies('abort')).toEqual([{ instance: NEW, deploy: 'd1' }]);
});
