import { expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { operation } from '../../../../test/fakes/small-set.ts';
import { nodeRecord, serverSet } from '../io/store/contract-records.ts';
import type { Provider } from '../ports.ts';
import { removeNode } from './down.ts';

it('an agent that does not go is let in until its node is forgotten, and has no connection after that', async () => {
  const store = memoryStore();
  const fleet = new FakeFleet();
  const node = nodeRecord('shop', 'app1');
  await store.putSet('shop', serverSet('shop'));
  await store.putNode(node);
  fleet.connect(node.uuid, {});
  // It comes again as soon as it can.
  const destroy = async () => fleet.reconnect(node.uuid);
  const provider = { keepsMachines: true, destroy } as unknown as Provider;
  await removeNode({ store, fleet } as never, operation(), provider, { ...node, providerId: 'machine' });
  expect([await store.node(node.uuid), fleet.session(node.uuid)]).toEqual([undefined, undefined]);
});
