/** After the drain: stops what no longer serves and prunes old releases, on the nodes and in the store. */
import { nodesWithRole } from '@silverlining/protocol';
import { disputes } from '../core/release/dispute.ts';
import type { NodeRecord, ReleaseRecord, SetRecord } from '../ports.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { type Drained, recordDrained } from './drained.ts';

export type SettleDeps = Pick<ControllerDeps, 'store' | 'fleet' | 'clock'>;

const DEADLINE = 60_000;

/**
 * Whether every balancer routes by the committed map now. Each is told it again, which is harmless: an epoch alone would
 * not say that HAProxy has taken the map. As long as one has not, or nobody knows, it may still send requests to the
 * release before. An app server without a balancer needs no asking: it never stops what its own map names.
 */
export async function isInForce(deps: SettleDeps, name: string, signal: AbortSignal): Promise<boolean> {
  const set = await deps.store.set(name);
  if (set === undefined) return true;
  const { epoch, active } = set;
  const balancers = nodesWithRole(await deps.store.nodes(name), 'balancer');
  const told = await Promise.allSettled(
    balancers.map((node) => deps.fleet.request(node.uuid, 'switch', { epoch, active }, { signal, deadline: DEADLINE })),
  );
  return told.every((it) => it.status === 'fulfilled');
}

/** Settles all app servers of a set that are connected. A node that is not is settled when it says hello. */
export async function settleSet(deps: SettleDeps, name: string, signal: AbortSignal): Promise<void> {
  const set = await deps.store.set(name);
  if (set === undefined) return;
  const appservers = nodesWithRole(await deps.store.nodes(name), 'appserver');
  const settled = await onEach(appservers, (node) => settleNode(deps, set, node, signal));
  await recordDrained(deps.store, name, settled.flat());
  for (const app of await appsOf(deps, set)) {
    const { drop } = await partition(deps, set, app);
    await deps.store.deleteReleases(name, drop);
  }
}

/** Settles one node: every app of which the store, or the node, knows a release. */
async function settleNode(deps: SettleDeps, set: SetRecord, node: NodeRecord, signal: AbortSignal): Promise<Drained[]> {
  const session = deps.fleet.session(node.uuid);
  // One that has in force what this controller never committed may serve what would be taken for leftovers.
  if (session === undefined || disputes(set, session.health ?? session.hello)) return [];
  const drained: Drained[] = [];
  const here = session.hello.instances.map((it) => it.app);
  for (const app of new Set([...(await appsOf(deps, set)), ...here])) {
    const { keep, running } = await partition(deps, set, app);
    const order = { app, keep, running };
    const { stopped } = await deps.fleet.request(node.uuid, 'settle', order, { signal, deadline: DEADLINE });
    drained.push({ node: node.name, app, stopped, at: deps.clock.now() });
  }
  return drained;
}

/** `keep`: what stays on disk; `running`: what stays up; `drop`: what goes. Rollouts under way keep theirs. */
async function partition(deps: SettleDeps, set: SetRecord, app: string) {
  const releases = (await deps.store.releases(set.name, app)).sort(newestFirst);
  const active = set.active[app];
  const underWay = (await deps.store.deploys(set.name)).filter((it) => it.app === app && it.state !== 'ended');
  const wanted = new Set([...underWay.map((it) => it.instance), ...(active === undefined ? [] : [active])]);
  const isWanted = set.config.apps.some((it) => it.name === app);
  const limit = isWanted ? (releases[0]?.config.keep ?? 1) : 0;
  const committed = releases.filter((it) => it.committedAt !== undefined && !wanted.has(it.instance));
  const older = committed.slice(0, Math.max(0, limit - 1)).map((it) => it.instance);
  const keep = [...wanted, ...older];
  const drop = releases.map((it) => it.instance).filter((instance) => !keep.includes(instance));
  return { keep, running: [...wanted], drop };
}

function newestFirst(a: ReleaseRecord, b: ReleaseRecord): number {
  return (b.committedAt ?? b.createdAt) - (a.committedAt ?? a.createdAt);
}

async function appsOf(deps: SettleDeps, set: SetRecord): Promise<string[]> {
  return [...new Set((await deps.store.releases(set.name)).map((it) => it.app))];
}
