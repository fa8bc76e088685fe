import type { RequestBody } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { nodeRecord, serverSet, topology } from '../io/store/contract-records.ts';
import type { ThisMachine } from '../ports.ts';
import { convergeNodes } from './converge.ts';

const ADDRESS = '203.0.113.7';
const node = nodeRecord('shop', 'app1', { roles: ['appserver'], address: ADDRESS });
const { uuid, name } = node;

/** The firewall of a node, as the controller of that machine asks for it. */
async function firewall(machine: ThisMachine): Promise<string> {
  const store = memoryStore();
  await store.putSet('shop', serverSet('shop'));
  const fleet = new FakeFleet();
  const sent: RequestBody<'converge'>[] = [];
  const converge = (body: RequestBody<'converge'>) => {
    sent.push(body);
    return { reports: [] };
  };
  fleet.connect(uuid, { converge });
  const deps = { store, fleet, ids: { token: () => 'secret' }, url: () => 'wss://*:7420', thisMachine: () => machine };
  const nodes = [{ name, uuid, address: ADDRESS, roles: node.roles }];
  await convergeNodes(deps as never, {
    ...{ set: serverSet('shop'), topology: { ...topology('shop', 1), nodes }, nodes: [node], mode: 'apply' },
    signal: new AbortController().signal,
  });
  const file = sent[0]?.resources.find((it) => it.type === 'file' && it.path === '/etc/silverlining/firewall.nft');
  return file?.type === 'file' ? file.content : '';
}

it('lets agents in on the node that the controller runs on, also where a router has its address, and on no other', async () => {
  expect(await firewall({ addresses: new Set([ADDRESS]), bootId: 'another' })).toContain('tcp dport 7420 accept');
  // What the fake agent says of its machine.
  expect(await firewall({ addresses: new Set(['10.0.0.7']), bootId: 'boot' })).toContain('tcp dport 7420 accept');
  expect(await firewall({ addresses: new Set(['10.0.0.7']), bootId: 'another' })).not.toContain('7420');
});
