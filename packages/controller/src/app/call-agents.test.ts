import { SlError } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { nodeRecord, serverSet } from '../io/store/contract-records.ts';
import type { CallRequest, NodeRecord, Provider, ProviderNode, Store } from '../ports.ts';
import { callAgents } from './call-agents.ts';

const SET = 'shop';
const KEYS = ['ssh-ed25519 AAAA'];

let store: Store;
let fleet: FakeFleet;
let clock: ManualClock;
let calls: CallRequest[];
let machines: ProviderNode[];
let told: string[];

beforeEach(async () => {
  [store, fleet, clock] = [memoryStore(), new FakeFleet(), new ManualClock()];
  [calls, machines, told] = [[], [], []];
  await store.putSet(SET, serverSet(SET));
});

function node(
  name: string,
  { uuid = name, state = 'running' as const, ...more }: Partial<ProviderNode> = {},
): NodeRecord {
  const ssh = { host: `${name}.test`, port: 22, user: 'root' };
  machines.push({ ...{ id: `the ${name}`, name, uuid, address: '192.0.2.1', ssh, state }, ...more });
  return nodeRecord(SET, name, { providerId: `the ${name}`, hostKeys: KEYS });
}

async function call(nodes: readonly NodeRecord[], provider: Partial<Provider> = { list: async () => machines }) {
  const bootstrapper = {
    bootstrap: () => Promise.reject(new Error('nobody is set up')),
    call: async (request: CallRequest) => {
      calls.push(request);
      if (request.uuid === 'deaf') throw new SlError('E_SSH', 'ssh said no');
    },
  };
  const log = { warn: () => undefined, info: (_fields: object, text: string) => told.push(text) };
  const deps = { store, fleet, clock, bootstrapper, log, providerFor: () => provider as Provider };
  const end = callAgents(deps, nodes, new AbortController().signal);
  await clock.advance(1000);
  await end;
}

it('calls those on machines that run, unless they came by themselves', async () => {
  const nodes = [node('here'), node('away'), node('off', { state: 'stopped' }), nodeRecord(SET, 'gone', {})];
  fleet.connect('here', {});
  await call(nodes);
  expect(calls).toEqual([{ uuid: 'away', ssh: { host: 'away.test', port: 22, user: 'root' }, pinnedHostKeys: KEYS }]);
});

it('believes of a machine of the user what the user does', async () => {
  const own = node('own');
  machines = machines.map((it) => ({ ...it, uuid: undefined }));
  await call([own]);
  expect(calls.map((it) => it.pinnedHostKeys)).toEqual([[]]);
});

it('says in the log alone what could not be called', async () => {
  await call([node('deaf'), node('away')]);
  expect(calls.map((it) => it.uuid)).toEqual(['deaf', 'away']);
  await call([node('away')], { list: () => Promise.reject(new SlError('E_PROVIDER', 'it is down')) });
  expect(told).toEqual(['its agent cannot be called over SSH', 'agents that are away cannot be called']);
});
