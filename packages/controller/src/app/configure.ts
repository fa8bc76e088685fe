/** The middle of `sl up`: every node gets its topology and its roles, in an order in which visitors notice nothing. */
import { type DeployRecord, isService, nodesWithRole, type Topology, toSlError } from '@silverlining/protocol';
import { disputes } from '../core/release/dispute.ts';
import { aboveAll, buildTopology } from '../core/topology.ts';
import type { NodeRecord, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { inForceOn } from './agree.ts';
import { awaitBackends } from './backends.ts';
import { backfill, inform } from './backfill.ts';
import { unanswering } from './broken-balancers.ts';
import { convergeNodes } from './converge.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { partingServices, partingWebRoles, withPartingRoles, withPartingServices } from './hand-over.ts';
import type { Observed } from './observe.ts';
import { generationOf, pushTo } from './topology-push.ts';

/** What the phases of one run share. */
export interface Run {
  deps: ControllerDeps;
  op: OperationContext;
  set: SetRecord;
  observed: Observed;
  /** The provider's sizes for nodes that are missing, by name. */
  sizes: ReadonlyMap<string, string>;
  /** Wanted nodes, connected. */
  nodes: NodeRecord[];
  /** Nodes of the set that the file no longer wants; they serve until the balancers have dropped them. Without those that are gone. */
  leaving: NodeRecord[];
  /** Wanted nodes that lose the balancer's role and cannot be waited for in it. */
  broken: ReadonlySet<NodeRecord>;
  token: number;
  changes: number;
  /** Of the changes, nodes that were not as they should be while nothing else changed. */
  drifted: number;
  /** What was deployed, however that ended. */
  deploys: DeployRecord[];
}

/**
 * Topology and roles of all nodes but those that the change must reach last, and live releases for those that lack them. Returns
 * whether all have them: otherwise what is live is to be replaced before visitors are sent to them.
 */
export async function configure(run: Run): Promise<boolean> {
  const { deps, op, leaving, observed, token } = run;
  // Nodes that leave, and roles that leave a node, keep their grants until the balancers have dropped them.
  const members = run.nodes.map((node) => withPartingRoles(observed.record, node));
  await pushTopology(run, [...members, ...leaving]);
  await converge(
    run,
    run.nodes.filter((node) => !isLate(run, node)),
  );
  await admit(run);
  const scanned = new Map(observed.apps.map((it) => [it.app.name, it.scanned]));
  // Agents that connected meanwhile may have told of a higher epoch.
  run.set = (await deps.store.set(run.set.name)) ?? run.set;
  const backfilled = await backfill(deps, op, { set: run.set, token, nodes: members, scanned });
  run.set = backfilled.set;
  if (run.changes === 0) run.changes += backfilled.brought;
  return backfilled.isWhole;
}

/**
 * New app servers get what is live first, which may use a service on a node that leaves: it lets them in. One that is broken does not
 * hold up its own end.
 */
async function admit(run: Run): Promise<void> {
  const { deps, op, leaving } = run;
  const hosts = leaving.filter(({ uuid, roles }) => roles.some(isService) && deps.fleet.session(uuid) !== undefined);
  await onEach(hosts, async (node) => {
    await converge(run, [node]).catch((error: unknown) => {
      op.signal.throwIfAborted();
      op.emit({ status: 'warning', action: 'converge', node: node.name, text: toSlError(error).message });
    });
  });
}

/** The balancers hear of what exists behind them by now: all of it is ready, live releases included. */
export async function configureLate(run: Run): Promise<void> {
  const { leaving, nodes, observed } = run;
  const late = nodes.filter((node) => isLate(run, node));
  if (nodes.some((node) => partingWebRoles(observed.record, node).length > 0)) return handOver(run, late);
  if (leaving.length > 0) await pushTopology(run, stayingOf(run));
  await convergeLate(run, late);
}

/**
 * Who takes a role over serves before whoever had it stops. The balancers go by the new roles before these are stored and anybody is told:
 * until then, a run that is cut off leaves roles as they are, and the next one begins again.
 */
async function handOver(run: Run, late: readonly NodeRecord[]): Promise<void> {
  const { deps, op, leaving, nodes, observed } = run;
  await convergeLate(
    run,
    late.filter((node) => !run.broken.has(node)),
  );
  await awaitBackends(deps, op, nodes);
  const before = adoptTopology(run, stayingOf(run));
  const staying = balancersOf(run).filter((node) => partingWebRoles(observed.record, node).length === 0);
  await convergeLate(run, staying);
  await tellTopology(run, before);
  // While nodes leave, the others are told when these are gone.
  const rest = nodes.filter((node) => !staying.includes(node) && (leaving.length === 0 || late.includes(node)));
  await convergeLate(run, rest);
}

/**
 * Where a service moves, or goes, between nodes that stay: it ends at its old place when nothing that is live was told of that. A run
 * that fails before leaves it running, and the next one begins with it as it is.
 */
export async function endServices(run: Run): Promise<void> {
  const former = run.nodes.filter((node) => partingServices(run.observed.record, node).length > 0);
  if (former.length === 0) return;
  await pushTopology(run, run.nodes);
  await converge(run, former);
}

/** The nodes with the services that they go on having until those have been replaced. */
const stayingOf = ({ nodes, observed }: Run): NodeRecord[] =>
  nodes.map((node) => withPartingServices(observed.record, node));

/** And tells these balancers what is active, as they can act on it now. */
async function convergeLate(run: Run, late: readonly NodeRecord[], balancers = balancersOf(run)): Promise<void> {
  const { deps, op } = run;
  await converge(run, late);
  if (run.set.committed) await onEach(balancers, (node) => inform(deps, op, run.set, node));
}

const balancersOf = ({ nodes }: Run): NodeRecord[] => nodesWithRole(nodes, 'balancer');

/**
 * Of the nodes that the change is to reach last, the balancers that do not serve: an earlier run was cut off before they were set up,
 * or an app server becomes one now. Nothing can be switched over them as they are.
 */
export async function configureIdle(run: Run): Promise<void> {
  const { deps } = run;
  const idle = await unanswering(
    run,
    run.nodes.filter((node) => isLate(run, node) && !run.broken.has(node)),
  );
  // One that has seen a higher epoch would refuse the row, which is to be replaced.
  const behind = idle.filter(({ uuid }) => {
    const inForce = inForceOn(deps.fleet, uuid);
    return inForce !== undefined && !disputes(run.set, inForce);
  });
  await convergeLate(run, idle, behind);
}

/** Balancers of a set that serves already, and such as were ones; before anything is live there is no order to keep. */
export function isLate(run: Run, node: NodeRecord): boolean {
  const { observed } = run;
  const isNew = !observed.nodes.some((it) => it.uuid === node.uuid);
  return (
    withPartingRoles(observed.record, node).roles.includes('balancer') &&
    !isNew &&
    Object.keys(observed.record?.active ?? {}).length > 0
  );
}

async function pushTopology(run: Run, nodes: readonly NodeRecord[]): Promise<void> {
  await tellTopology(run, adoptTopology(run, nodes));
}

/** What converging goes by from here on, in these roles. Returns the topology before, which it is when nothing differs. */
function adoptTopology(run: Run, nodes: readonly NodeRecord[]): Topology | undefined {
  const { deps, op, set, observed } = run;
  const before = set.topology;
  const wanted = nodes.map(({ name, roles }) => ({ name, roles }));
  const built = buildTopology({ ...observed.set, nodes: wanted }, nodes, {
    previous: before,
    places: observed.set.nodes,
  });
  const heard = run.nodes.map((node) => generationOf(deps.fleet, node) ?? 0);
  const topology = aboveAll(built, before, heard);
  if (topology === before) return before;
  run.set = { ...set, topology };
  // One without the nodes that leave may follow; the plan counts it with their end.
  if (before?.generation === observed.record?.topology?.generation) run.changes++;
  op.emit({ status: 'changed', action: 'topology', text: `topology generation ${topology.generation}` });
  return before;
}

/** Stores it first: nobody has one that this controller does not know of. */
async function tellTopology({ deps, op, set, nodes }: Run, previous: Topology | undefined): Promise<void> {
  const { name, topology } = set;
  if (topology === undefined) return;
  if (topology !== previous) await deps.store.putTopology(name, topology);
  const behind = nodes.filter((node) => generationOf(deps.fleet, node) !== topology.generation);
  await pushTo(deps, behind, { topology, previous, signal: op.signal });
}

export async function converge(run: Run, nodes: readonly NodeRecord[]): Promise<void> {
  const { deps, op, set, observed } = run;
  const { topology } = set;
  if (nodes.length === 0 || topology === undefined) return;
  const changed = await convergeNodes(deps, {
    ...{ set: observed.set, topology, nodes, mode: 'apply', signal: op.signal },
    // Of counters the newest is kept, whatever a node has to say.
    onProgress: ({ name }, { text, done = 0, total }) =>
      op.emit({ status: 'running', action: 'converge', node: name, text, done, total }),
  });
  // A new node or topology is one change, as the plan counts it, and what follows from it on nodes is no other one.
  const isCounted = run.changes === run.drifted;
  for (const { uuid, name } of nodes) {
    const count = changed.get(uuid)?.length ?? 0;
    if (count > 0 && isCounted) {
      run.changes++;
      run.drifted++;
    }
    const text = count === 0 ? 'as it should be' : `${count} resource${count === 1 ? '' : 's'} changed`;
    op.emit({ status: count === 0 ? 'ok' : 'changed', action: 'converge', node: name, text });
  }
}
