/** After the drain: stops what no longer serves and prunes old releases, on the nodes and in the store. */
import { nodesWithRole } from '@silverlining/protocol';
import { disputes } from '../core/release/dispute.ts';
import { CALM } from '../core/release/watch.ts';
import type { AgentSession, DeployRow, NodeRecord, ReleaseEntry, SetRecord } from '../ports.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { type Drained, recordDrained } from './drained.ts';
import { membersOf } from './members.ts';
import { generationOf } from './topology-push.ts';
import { endWatch, onProbation } from './watch.ts';

export type SettleDeps = Pick<ControllerDeps, 'store' | 'fleet' | 'clock'>;

const DEADLINE = 60_000;
/** Milliseconds for which an operation waits until what others before it left is settled. */
const HURRY = 5_000;

/**
 * Whether every balancer routes by the committed map now. Each is told it again, which is harmless: an epoch alone would
 * not say that HAProxy has taken the map. As long as one has not, or nobody knows, it may still send requests to the
 * release before. An app server without a balancer needs no asking: it never stops what its own map names.
 */
export async function isInForce(deps: SettleDeps, name: string, signal: AbortSignal): Promise<boolean> {
  const set = await deps.store.set(name);
  if (set === undefined) return true;
  const { epoch, active, committed } = set;
  const balancers = nodesWithRole(await membersOf(deps, name), 'balancer');
  // A map under which nothing was ever committed would take away what is served from before it.
  if (!committed) return balancers.every(({ uuid }) => servesNothing(deps.fleet.session(uuid)));
  const told = await Promise.allSettled(
    balancers.map((node) => deps.fleet.request(node.uuid, 'switch', { epoch, active }, { signal, deadline: DEADLINE })),
  );
  return told.every((it) => it.status === 'fulfilled');
}

function servesNothing(balancer: AgentSession | undefined): boolean {
  return balancer !== undefined && Object.keys((balancer.health ?? balancer.hello).active).length === 0;
}

/** Whether every balancer has been connected since then (monotonic milliseconds): one that was away may have gone by an older map until it was back. */
export async function haveStayed(deps: SettleDeps, name: string, since: number): Promise<boolean> {
  const balancers = nodesWithRole(await membersOf(deps, name), 'balancer');
  return balancers.every(({ uuid }) => (deps.fleet.session(uuid)?.connectedAt ?? Number.POSITIVE_INFINITY) <= since);
}

/**
 * Settles all app servers of a set that have been connected for a drain, and leaves these instances as they are. The others are
 * settled after their hello. What is on nodes that are app servers no longer goes.
 */
export async function settleSet(
  deps: SettleDeps,
  name: string,
  signal: AbortSignal,
  spared: ReadonlySet<string> = new Set(),
): Promise<void> {
  const set = await deps.store.set(name);
  if (set === undefined) return;
  const members = await membersOf(deps, name);
  const stays = await partitions(deps, set, spared);
  const work = [
    ...nodesWithRole(members, 'appserver').map((node) => ({ name: node.name, set, node, stays })),
    ...formerAppservers(deps, set, members).map((node) => ({ name: node.name, set, node, stays: new Map() })),
  ];
  const drained: Drained[] = [];
  // Nobody says it a second time: the next settling finds it stopped.
  const record = () => recordDrained(deps.store, name, drained);
  await onEach(work, (it) => settleNode(deps, { ...it, drained }, signal)).catch(async (error: unknown) => {
    // What a node could not do says more than what could not be written of the others.
    await record().catch(() => undefined);
    throw error;
  });
  await record();
  for (const { drop } of stays.values()) await deps.store.deleteReleases(name, drop);
}

/**
 * Between operations that leave no time for a drain: settles what has had one all the same. Otherwise each deploy of a series would leave
 * processes behind, until there is no memory for more.
 */
export async function settleDrained(deps: SettleDeps, name: string, signal: AbortSignal): Promise<void> {
  const set = await deps.store.set(name);
  if (set === undefined) return;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(HURRY)]);
  if (!(await isInForce(deps, name, limited))) return;
  const late = deps.clock.now() - CALM;
  const served = (await deps.store.deploys(name)).filter(
    ({ state, startedAt, record }) => state === 'ended' && startedAt + record.ms.total > late,
  );
  // The second is for what may have to be taken back yet.
  const recent = [...served, ...(await onProbation(deps, set))];
  const spared = recent.flatMap((it) => [it.instance, it.record.previous]);
  // Should what came after them be taken back, there is nothing warm any more that the others could be taken back to.
  await endWatch(deps, name, recent);
  await settleSet(deps, name, limited, new Set(spared.filter((it) => it !== null)));
}

/** None as long as a balancer goes by an older topology, in which they may be app servers yet. */
function formerAppservers(
  { fleet }: SettleDeps,
  { topology }: SetRecord,
  members: readonly NodeRecord[],
): NodeRecord[] {
  const isTold = (node: NodeRecord): boolean => generationOf(fleet, node) === topology?.generation;
  if (topology === undefined || !nodesWithRole(members, 'balancer').every(isTold)) return [];
  const appservers = new Set(nodesWithRole([...members, ...topology.nodes], 'appserver').map((it) => it.name));
  return members.filter((node) => !appservers.has(node.name) && isTold(node));
}

interface NodeToSettle {
  set: SetRecord;
  node: NodeRecord;
  stays: ReadonlyMap<string, Partition>;
  /** Takes what it stops, app by app: one that cannot be settled may come after others. */
  drained: Drained[];
}

/** Settles one node: every app of which the store, or the node, knows a release. */
async function settleNode(
  deps: SettleDeps,
  { set, node, stays, drained }: NodeToSettle,
  signal: AbortSignal,
): Promise<void> {
  const session = deps.fleet.session(node.uuid);
  // One that came back within a drain may have switched only then: its turn comes with the next settling, which its return begins.
  if (session === undefined || deps.clock.monotonic() - session.connectedAt < CALM) return;
  // One that has in force what this controller never committed may serve what would be taken for leftovers.
  if (disputes(set, session.health ?? session.hello)) return;
  const here = (session.health ?? session.hello).instances.map((it) => it.app);
  for (const app of new Set([...stays.keys(), ...here])) {
    const { keep, running } = stays.get(app) ?? NOTHING;
    const order = { app, keep, running };
    const { stopped } = await deps.fleet.request(node.uuid, 'settle', order, { signal, deadline: DEADLINE });
    drained.push({ node: node.name, app, stopped, at: deps.clock.now() });
  }
}

/** `keep`: what stays on disk; `running`: what stays up; `drop`: what goes. */
interface Partition {
  keep: string[];
  running: string[];
  drop: string[];
}
const NOTHING: Partition = { keep: [], running: [], drop: [] };

/** Of every app that the store knows anything of; rollouts under way keep theirs. Read once for all nodes. */
async function partitions(
  deps: SettleDeps,
  set: SetRecord,
  spared: ReadonlySet<string>,
): Promise<Map<string, Partition>> {
  const releases = await deps.store.releases(set.name);
  const underWay = (await deps.store.deploys(set.name)).filter((it) => it.state !== 'ended');
  const apps = new Set([...Object.keys(set.active), ...[...releases, ...underWay].map((it) => it.app)]);
  return new Map([...apps].map((app) => [app, partition(set, app, { releases, underWay, spared })]));
}

function partition(
  set: SetRecord,
  app: string,
  all: { releases: readonly ReleaseEntry[]; underWay: readonly DeployRow[]; spared: ReadonlySet<string> },
): Partition {
  const releases = all.releases.filter((it) => it.app === app).sort(newestFirst);
  const active = set.active[app];
  const underWay = all.underWay.filter((it) => it.app === app);
  // A deploy under way may have to be taken back to what was there before it.
  const stays = [...all.spared, ...underWay.map((it) => it.record.previous)];
  // Also one that the store does not know, where its state was lost: nodes have it.
  const spared = stays.flatMap((it) => (it?.startsWith(`${app}.`) ? [it] : []));
  const wanted = new Set([...underWay.map((it) => it.instance), ...(active === undefined ? [] : [active]), ...spared]);
  // `sl deploy` of another app reads the file as well, and leaves it to `sl up` to take this one away.
  const isWanted = active !== undefined || set.config.apps.some((it) => it.name === app);
  const limit = isWanted ? (releases[0]?.config.keep ?? 1) : 0;
  const committed = releases.filter((it) => it.committedAt !== undefined && !wanted.has(it.instance));
  const older = committed.slice(0, Math.max(0, limit - 1)).map((it) => it.instance);
  const keep = [...wanted, ...older];
  const drop = releases.map((it) => it.instance).filter((instance) => !keep.includes(instance));
  return { keep, running: [...wanted], drop };
}

function newestFirst(a: ReleaseEntry, b: ReleaseEntry): number {
  return (b.committedAt ?? b.createdAt) - (a.committedAt ?? a.createdAt);
}
