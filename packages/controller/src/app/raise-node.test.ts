import { beforeEach, describe, expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { nodeRecord, serverSet } from '../io/store/contract-records.ts';
import type { BootstrapRequest, NodeRecord, ProviderNode } from '../ports.ts';
import { type RaiseRequest, raiseNode } from './raise-node.ts';

const NAME = 'app1.shop.internal';
const SET_UP: Partial<NodeRecord> = {
  ...{ state: 'enrolled', keyHash: 'old', certGeneration: 3, hostKeys: ['old'], address: '192.0.2.1', lastSeen: 1 },
};
const OURS = { key: 'ours', challenge: 'c'.repeat(16) };

let fleet: FakeFleet;
let store: ReturnType<typeof memoryStore>;
/** What was asked over SSH, and the state of the row meanwhile. */
let bootstraps: (BootstrapRequest & { row: NodeRecord | undefined })[];

let formerSet: string | undefined;
let warnings: string[];

beforeEach(async () => {
  [formerSet, warnings] = [undefined, []];
  fleet = new FakeFleet();
  store = memoryStore();
  bootstraps = [];
  await store.putSet('shop', serverSet('shop'));
  await store.putNode(nodeRecord('shop', 'app1', SET_UP));
  fleet.connect('app1', {}, { trust: OURS });
});

function machine(more: Partial<ProviderNode> = {}): ProviderNode {
  const ssh = { host: '192.0.2.1', port: 22, user: 'root' };
  return { id: 'app1', name: NAME, uuid: 'app1', address: '192.0.2.1', state: 'running', ssh, ...more };
}

async function raise(request: Partial<RaiseRequest>): Promise<NodeRecord> {
  const deps = {
    ...{ store, fleet, clock: new ManualClock(), orderKey: OURS.key },
    ids: { uuid: () => 'new', token: () => 'token' },
    bootstrapper: {
      call: () => Promise.reject(new Error('nobody is called')),
      bootstrap: async (asked: BootstrapRequest) => {
        bootstraps.push({ ...asked, row: await store.node(asked.uuid) });
        fleet.connect(asked.uuid, {}, { trust: OURS });
        const url = 'wss://192.0.2.8:7420';
        return { hostKeys: ['new'], keyHash: 'new', arch: 'x64' as const, controllerUrl: url, formerSet };
      },
    },
  };
  const { signal } = new AbortController();
  return raiseNode(
    deps,
    { signal, emit: ({ status, text }) => void (status === 'warning' && warnings.push(text)) },
    {
      ...{ set: { name: 'shop', config: serverSet('shop') }, wanted: { name: NAME, roles: ['appserver'] } },
      provider: { create: async () => machine(), start: async () => machine() },
      ...{ size: undefined, record: await store.node('app1'), found: machine(), inTurn: (work) => work(), ...request },
    },
  );
}

/** Whose certificate the node had before is refused before the new one is asked for. */
function expectSetUpAnew(): void {
  expect(bootstraps).toMatchObject([
    {
      ...{ uuid: 'app1', certGeneration: 4, pinnedHostKeys: [] },
      row: { state: 'created', keyHash: undefined, hostKeys: [] },
    },
  ]);
}

describe('a node whose agent is connected', () => {
  it('is left alone where it was set up', async () => {
    await raise({});
    expect(bootstraps).toEqual([]);
    await raise({ found: machine({ address: '192.0.2.9' }) });
    expect(bootstraps).toEqual([]);
  });

  it.each([
    ['', {}, 0],
    ['', { listen: '443' }, 1],
    [':443', { listen: '*:443' }, 0],
    ['wss://vpn.example.com:7420', { url: 'wss://vpn.example.com:7420', listen: '443' }, 0],
    ['wss://vpn.example.com:7420', {}, 1],
    [undefined, { listen: '443' }, 0],
  ])('that was told %j is set up again, once, where the file has %j: %i times', async (told, controller, times) => {
    await store.putNode(nodeRecord('shop', 'app1', { ...SET_UP, told }));
    const set = { name: 'shop', config: { ...serverSet('shop'), controller } };
    await raise({ set });
    await raise({ set });
    expect(bootstraps).toHaveLength(times);
  });

  it('is set up anew where the provider has no such machine any more', async () => {
    await raise({ found: undefined });
    expectSetUpAnew();
  });

  it('is set up anew where the file gives it another address', async () => {
    const found = machine({ uuid: undefined, address: '192.0.2.2' });
    expect(await raise({ found })).toMatchObject({ address: '192.0.2.2', hostKeys: ['new'] });
    expectSetUpAnew();
  });
});

it.each([
  [undefined, 0],
  ['shop', 0],
  ['blog', 1],
])('warns of a machine that was a node of another set: of %s', async (set, count) => {
  formerSet = set;
  await raise({ found: undefined });
  expect(warnings).toEqual(Array(count).fill(expect.stringContaining('it was a node of the set blog')));
});

it('is set up at once where two agents claim to be it: neither would be let in', async () => {
  fleet.drop('app1');
  fleet.isHeld = () => true;
  const { waitFor } = FakeFleet.prototype;
  fleet.waitFor = (uuid) => {
    expect(bootstraps).toHaveLength(1);
    return waitFor.call(fleet, uuid);
  };
  await raise({});
});
