/** After the drain: stops what no longer serves and prunes old releases, on the nodes and in the store. */
import type { NodeRecord, ReleaseRecord, SetRecord } from '../ports.ts';
import { type ControllerDeps, onEach } from './deps.ts';

/** Milliseconds for which the old release stays warm after a switch, so that requests in flight end on it. */
export const DRAIN = 10_000;
const DEADLINE = 60_000;

/** Settles all app servers of a set that are connected. A node that is not is settled when it says hello. */
export async function settleSet(deps: ControllerDeps, name: string, signal: AbortSignal): Promise<void> {
  const set = await deps.store.set(name);
  if (set === undefined) return;
  const nodes = (await deps.store.nodes(name)).filter((node) => node.roles.includes('appserver'));
  await onEach(
    nodes.filter((node) => deps.fleet.session(node.uuid) !== undefined),
    (node) => settleNode(deps, set, node, signal),
  );
  for (const app of await appsOf(deps, set)) {
    const { drop } = await partition(deps, set, app);
    await deps.store.deleteReleases(name, drop);
  }
}

/** Settles one node: every app of which the store knows a release. */
export async function settleNode(
  deps: ControllerDeps,
  set: SetRecord,
  node: NodeRecord,
  signal: AbortSignal,
): Promise<void> {
  for (const app of await appsOf(deps, set)) {
    const { keep, running } = await partition(deps, set, app);
    await deps.fleet.request(node.uuid, 'settle', { app, keep, running }, { signal, deadline: DEADLINE });
  }
}

/** `keep`: what stays on disk; `running`: what stays up; `drop`: what goes. Rollouts under way keep theirs. */
async function partition(deps: ControllerDeps, set: SetRecord, app: string) {
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

async function appsOf(deps: ControllerDeps, set: SetRecord): Promise<string[]> {
  return [...new Set((await deps.store.releases(set.name)).map((it) => it.app))];
}
