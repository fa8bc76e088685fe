/** Takes nodes and apps out of a set that its file no longer has. */
import { nodesWithRole } from '@silverlining/protocol';
import type { NodeRecord, Provider, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { inform } from './backfill.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { removeNode } from './down.ts';

/** Milliseconds for requests that the balancers had sent to a node before they dropped it. */
const NODE_DRAIN = 5_000;

/** The balancers have dropped the nodes already. Waits until they are drained, then retires and destroys them. */
export async function removeLeaving(
  deps: ControllerDeps,
  op: OperationContext,
  { set, provider, leaving }: { set: SetRecord; provider: Provider; leaving: readonly NodeRecord[] },
): Promise<void> {
  const draining = nodesWithRole(leaving, 'appserver').filter((node) => deps.fleet.session(node.uuid) !== undefined);
  for (const { name } of draining) op.emit({ status: 'started', action: 'drain-node', node: name, text: 'draining' });
  if (draining.length > 0) await deps.clock.sleep(NODE_DRAIN, op.signal);
  await onEach(leaving, async (node) => {
    const listed = node.providerId === undefined ? await provider.list(set.name, op.signal) : [];
    const providerId = node.providerId ?? listed.find((it) => it.uuid === node.uuid)?.id;
    await removeNode(deps, op, provider, { name: node.name, uuid: node.uuid, providerId });
  });
}

/** Apps that serve and that the file has no more. */
export function goneApps({ config, active }: SetRecord): string[] {
  const wanted = new Set(config.apps.map((it) => it.name));
  return Object.keys(active).filter((app) => !wanted.has(app));
}

/** Commits a map without the apps that are gone, where one has them yet; their releases go with the next settling. */
export async function removeApps(
  deps: ControllerDeps,
  op: OperationContext,
  { set, nodes, token, gone }: RemoveApps,
): Promise<void> {
  if (gone.some((app) => set.active[app] !== undefined)) await leaveOut(deps, op, { set, nodes, token, gone });
  for (const app of gone) op.emit({ status: 'changed', action: 'remove-app', app, text: 'no longer served' });
}

interface RemoveApps {
  set: SetRecord;
  nodes: readonly NodeRecord[];
  token: number;
  gone: readonly string[];
}

async function leaveOut(deps: ControllerDeps, op: OperationContext, { set, nodes, token, gone }: RemoveApps) {
  const active = Object.fromEntries(Object.entries(set.active).filter(([app]) => !gone.includes(app)));
  const epoch = await deps.store.commit({ set: set.name, token, active, deploys: [], now: deps.clock.now() });
  const told = nodes.filter((node) => node.roles.includes('balancer') || node.roles.includes('appserver'));
  // The decision is made: who cancels now does not leave nodes of which some serve what others do not.
  const decided = { ...op, signal: new AbortController().signal };
  await onEach(told, (node) => inform(deps, decided, { epoch, active }, node));
}
