/** `sl down`: retires the agents, destroys the nodes, forgets the set. Every step may be repeated. */
import { type DownResult, toSlError } from '@silverlining/protocol';
import type { Provider, ProviderNode, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { agentsBack } from './grace.ts';
import { withLease } from './lease.ts';
import { unknownSet } from './status.ts';

/** Apps, web server and database may each take their time to stop. */
const RETIRE_DEADLINE = 120_000;

export async function down(deps: ControllerDeps, op: OperationContext, name: string): Promise<DownResult> {
  const set = await deps.store.set(name);
  if (set === undefined) throw unknownSet(name);
  return withLease(deps, op, { set: name, holder: 'sl down' }, () => takeDown(deps, op, set));
}

async function takeDown(deps: ControllerDeps, op: OperationContext, set: SetRecord): Promise<DownResult> {
  const { name } = set;
  const provider = deps.providerFor(set.config);
  const nodes = await nodesToDestroy(deps, op, set);
  if (provider.keepsMachines) await agentsBack(deps, await deps.store.nodes(name), { signal: op.signal });
  await onEach(nodes, (node) => removeNode(deps, op, provider, node));
  await deps.hosts.write(name, []);
  await provider.cleanUp(name, op.signal);
  await deps.store.deleteSet(name);
  const { keepsMachines } = provider;
  const destroyed = nodes.filter((node) => node.providerId !== undefined).map((node) => node.name);
  return { set: name, destroyed, ...(keepsMachines ? { keepsMachines } : {}) };
}

/** Retires the node's agent, destroys the node where that is ours to do, and forgets it. */
export async function removeNode(
  deps: ControllerDeps,
  op: OperationContext,
  provider: Provider,
  { name, uuid, providerId }: Doomed,
): Promise<void> {
  const keeps = provider.keepsMachines;
  const say = (status: 'started' | 'changed' | 'warning', text: string) =>
    op.emit({ status, action: 'destroy-node', node: name, text });
  // Planned, and cut off before there was a machine.
  if (providerId === undefined && uuid !== undefined) return deps.store.deleteNode(uuid);
  say('started', keeps ? 'putting back what was there before' : 'destroying');
  const left = uuid === undefined ? undefined : await retire(deps, op, uuid, keeps);
  if (left !== undefined && keeps) say('warning', `${left}: what was set up there stays`);
  if (providerId !== undefined) await provider.destroy(providerId, op.signal);
  if (uuid !== undefined) {
    await deps.store.deleteNode(uuid);
    // Not before: it would be let in again.
    deps.fleet.disconnect(uuid, 'the node left its set');
  }
  say('changed', keeps ? 'has left the set; packages and databases stay' : 'destroyed');
}

/** Tells the agent to take itself away; returns why it did not. A node whose agent is gone is removed all the same. */
async function retire(
  deps: ControllerDeps,
  op: OperationContext,
  uuid: string,
  putBack: boolean,
): Promise<string | undefined> {
  if (deps.fleet.session(uuid) === undefined) return 'its agent is not connected';
  const options = { signal: op.signal, deadline: RETIRE_DEADLINE };
  try {
    const body = { reason: 'the node is leaving its set', ...(putBack ? { putBack } : {}) };
    await deps.fleet.request(uuid, 'retire', body, options);
    return undefined;
  } catch (error) {
    return `its agent did not retire (${toSlError(error).message})`;
  }
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
  // A machine without a label of ours is somebody else's until it has a record.
  const strays = existing.filter((it) => it.uuid !== undefined && !records.some((record) => isSame(it, record)));
  return [...known, ...strays.map((it) => ({ name: it.name, uuid: undefined, providerId: it.id }))];
}

function isSame(found: ProviderNode, record: { uuid: string; name: string }): boolean {
  return found.uuid === record.uuid || found.name === record.name;
}
