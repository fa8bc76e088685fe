/** `sl down`: retires the agents, destroys the nodes, forgets the set. Every step may be repeated. */
import type { DownResult } from '@silverlining/protocol';
import type { ProviderNode, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { withLease } from './lease.ts';
import { unknownSet } from './status.ts';

const RETIRE_DEADLINE = 60_000;

export async function down(deps: ControllerDeps, op: OperationContext, name: string): Promise<DownResult> {
  const set = await deps.store.set(name);
  if (set === undefined) throw unknownSet(name);
  return withLease(deps, op, { set: name, holder: 'sl down' }, () => takeDown(deps, op, set));
}

async function takeDown(deps: ControllerDeps, op: OperationContext, set: SetRecord): Promise<DownResult> {
  const { name } = set;
  const provider = deps.providerFor(set.config);
  const nodes = await nodesToDestroy(deps, op, set);
  await onEach(nodes, async (node) => {
    op.emit({ status: 'started', action: 'destroy-node', node: node.name, text: 'destroying' });
    if (node.uuid !== undefined) await retire(deps, op, node.uuid, node.name);
    if (node.providerId !== undefined) await provider.destroy(node.providerId, op.signal);
    if (node.uuid !== undefined) await deps.store.deleteNode(node.uuid);
    op.emit({ status: 'changed', action: 'destroy-node', node: node.name, text: 'destroyed' });
  });
  await deps.hosts.write(name, []);
  await provider.cleanUp(name, op.signal);
  await deps.store.deleteSet(name);
  return { set: name, destroyed: nodes.map((node) => node.name) };
}

/** Tells the agent to take itself away; a node whose agent is gone is destroyed all the same. */
export async function retire(deps: ControllerDeps, op: OperationContext, uuid: string, name: string): Promise<void> {
  if (deps.fleet.session(uuid) === undefined) return;
  const options = { signal: op.signal, deadline: RETIRE_DEADLINE };
  try {
    await deps.fleet.request(uuid, 'retire', { reason: 'the node is leaving its set' }, options);
  } catch (error) {
    op.emit({
      status: 'warning',
      action: 'destroy-node',
      node: name,
      text: `its agent did not retire: ${String(error)}`,
    });
  }
  deps.fleet.disconnect(uuid, 'the node left its set');
}

interface Doomed {
  name: string;
  uuid: string | undefined;
  providerId: string | undefined;
}

/** What the store knows of, and what the provider has under the set's label that the store lost. */
async function nodesToDestroy(deps: ControllerDeps, op: OperationContext, set: SetRecord): Promise<Doomed[]> {
  const existing = await deps.providerFor(set.config).list(set.name, op.signal);
  const records = await deps.store.nodes(set.name);
  const known = records.map(({ name, uuid, providerId }) => {
    const found = existing.find((it) => it.uuid === uuid || it.name === name);
    return { name, uuid, providerId: providerId ?? found?.id };
  });
  const strays = existing.filter((it) => !records.some((record) => isSame(it, record)));
  return [...known, ...strays.map((it) => ({ name: it.name, uuid: undefined, providerId: it.id }))];
}

function isSame(found: ProviderNode, record: { uuid: string; name: string }): boolean {
  return found.uuid === record.uuid || found.name === record.name;
}
