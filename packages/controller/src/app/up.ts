/** `sl up`: makes the set real. Every step looks first and changes what differs, so that it may be cut off anywhere. */
import {
  type ApiRequest,
  isService,
  nodesWithRole,
  type ServerSet,
  toSlError,
  type UpResult,
  type WantedNode,
} from '@silverlining/protocol';
import pLimit from 'p-limit';
import { isTold } from '../core/controller-address.ts';
import { workstationHostsLines } from '../core/hosts-lines.ts';
import { movedTo } from '../core/machine-change.ts';
import { leavingNodes } from '../core/plan/plan-up.ts';
import type { NodeRecord } from '../ports.ts';
import { type OperationContext, OperationFailed } from '../service.ts';
import { awaitBackends } from './backends.ts';
import { brokenFormer } from './broken-balancers.ts';
import { warnOfCapacity } from './capacity.ts';
import { checkConfigs } from './check-configs.ts';
import { configure, configureIdle, configureLate, converge, endServices, isLate, type Run } from './configure.ts';
import { awaitAgents, rollOut } from './deploy.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { withPartingRoles } from './hand-over.ts';
import { withLease } from './lease.ts';
import { listenFor } from './listen.ts';
import { tellOfRollbacks } from './notices.ts';
import { type Observed, observe } from './observe.ts';
import { prepareItems, splitApps } from './prepare.ts';
import { endProbation } from './probation.ts';
import { raiseNode } from './raise-node.ts';
import { goneApps, removeApps, removeLeaving } from './shrink.ts';
import { chooseSizes } from './sizes.ts';
import { refuseTaken } from './taken-machines.ts';
import { takesOrders } from './trust.ts';

/** Nodes that are made or bootstrapped at a time: a bootstrap keeps a core busy with encryption. */
const AT_A_TIME = 6;

export async function up(deps: ControllerDeps, op: OperationContext, request: ApiRequest<'up'>): Promise<UpResult> {
  const { set } = request;
  return withLease(deps, op, { set: set.name, holder: 'sl up' }, async (token) => {
    const report = (text: string) => op.emit({ status: 'info', action: 'host-packages', text });
    await deps.prepareHost(set, { install: request.installHostPackages, report, signal: op.signal });
    const observed = await observe(deps, set, op.signal);
    await refuseTaken(deps, observed, op.signal);
    await checkConfigs(deps, observed.apps, op.signal);
    const sizes = await chooseSizes(observed.provider, missingNodes(observed), op.signal);
    const record = await deps.store.putSet(set.name, set);
    await tellOfRollbacks(deps, op, record);
    await warnOfCapacity(deps, op);
    await listenFor(deps, set);
    const leaving = leavingNodes(observed.set, observed.nodes);
    const run: Run = {
      ...{ deps, op, set: record, observed, sizes, token, nodes: [], leaving, broken: new Set() },
      ...{ changes: 0, drifted: 0, deploys: [] },
    };
    await raise(run);
    run.changes += await deps.agentUpdates.run(op, run.nodes);
    try {
      await reshape(run);
      // Whoever cancels after the decision does not wait; what is decided is finished all the same.
      if (!op.signal.aborted && run.changes > 0 && (await isServing(run))) await awaitBackends(deps, op, run.nodes);
      await writeHosts(run);
    } catch (error) {
      throw run.deploys.length === 0 ? error : new OperationFailed(toSlError(error), resultOf(run));
    }
    return resultOf(run);
  });
}

function resultOf({ set, nodes, changes, deploys }: Run): UpResult {
  return { set: set.name, changes, deploys, sites: sitesOf(set.config, nodes) };
}

function missingNodes(observed: Observed): WantedNode[] {
  const existing = existingOf(observed);
  return observed.set.nodes.filter((wanted) => existing(wanted).found === undefined);
}

/** Looks up what there is of a node, among thousands: its record, and the provider's. */
function existingOf({ nodes, providerNodes }: Observed) {
  const records = new Map(nodes.map((it) => [it.name, it]));
  const byName = new Map(providerNodes.map((it) => [it.name, it]));
  const byUuid = new Map(providerNodes.map((it) => [it.uuid, it]));
  return ({ name }: WantedNode) => {
    const record = records.get(name);
    return { record, found: (record && byUuid.get(record.uuid)) ?? byName.get(name) };
  };
}

/** Creates, starts and bootstraps what is missing. */
async function raise(run: Run): Promise<void> {
  const { deps, op, observed, set, sizes } = run;
  const limit = pLimit(AT_A_TIME);
  const existing = existingOf(observed);
  run.nodes = await onEach(observed.set.nodes, (wanted) => {
    const { record, found } = existing(wanted);
    const session = record && deps.fleet.session(record.uuid);
    const moved = found !== undefined && movedTo(record, found) !== undefined;
    const told = record !== undefined && isTold(record, set.config.controller);
    if (session === undefined || moved || !told || !takesOrders(deps, session)) run.changes++;
    const size = sizes.get(wanted.name);
    const inTurn = <R>(work: () => Promise<R>): Promise<R> => limit(work);
    return raiseNode(deps, op, { set, provider: observed.provider, wanted, size, record, found, inTurn });
  });
}

/**
 * Configures, shrinks and deploys. Where a node lacks what is live and it is not to be had any more, since the app's folder has
 * changed or the file no longer has the app, that goes first: nobody is sent to such a node until it can answer.
 */
async function reshape(run: Run): Promise<void> {
  run.broken = await brokenFormer(run);
  if (await configure(run)) {
    await configureLate(run);
    // What is live may need a service until something else is.
    await shrink(run, ({ roles }) => !roles.some(isService));
    await dropApps(run);
    await deployChanged(run, run.nodes);
    return endFormer(run);
  }
  await configureIdle(run);
  // While visitors or balancers may still be sent to nodes that leave or lose a role, those take part.
  const connected = run.leaving.filter(({ uuid }) => run.deps.fleet.session(uuid) !== undefined);
  const staying = run.nodes.map((node) => (run.broken.has(node) ? node : withPartingRoles(run.observed.record, node)));
  const gone = goneApps(run.set);
  await deployChanged(run, [...staying, ...connected], gone);
  run.set = (await run.deps.store.set(run.set.name)) ?? run.set;
  await dropApps(run, gone);
  await configureLate(run);
  await endFormer(run);
}

/** What only releases before could need any more. */
async function endFormer(run: Run): Promise<void> {
  await endProbation(run);
  await endServices(run);
  await shrink(run);
}

/** Removes nodes that the file no longer has, and tells those that stay. */
async function shrink(run: Run, removable: (node: NodeRecord) => boolean = () => true): Promise<void> {
  const { deps, op, set, observed, nodes } = run;
  const leaving = run.leaving.filter(removable);
  if (leaving.length === 0) return;
  await removeLeaving(deps, op, { set, provider: observed.provider, leaving });
  // As the plan counts: an app server is drained first.
  run.changes += leaving.length + nodesWithRole(leaving, 'appserver').length;
  run.leaving = run.leaving.filter((node) => !leaving.includes(node));
  await converge(
    run,
    nodes.filter((node) => !isLate(run, node)),
  );
}

async function dropApps(run: Run, gone = goneApps(run.set)): Promise<void> {
  const { deps, op, set, nodes, token } = run;
  await removeApps(deps, op, { set, nodes, token, gone });
  run.changes += gone.length;
  if (gone.length > 0) run.set = (await deps.store.set(set.name)) ?? set;
}

async function deployChanged(run: Run, nodes: readonly NodeRecord[], leaveOut?: readonly string[]): Promise<void> {
  const { deps, op, set, observed, token } = run;
  const { changed } = await splitApps(deps, set, observed.apps);
  if (changed.length === 0) return;
  run.changes += changed.length;
  await awaitAgents(deps, op, { set, nodes });
  const items = await prepareItems(deps, set, changed);
  try {
    const decided = set.config.apps.map((it) => it.name);
    run.deploys = await rollOut(deps, op, { set, token, items, nodes, decided, ...(leaveOut && { leaveOut }) });
  } catch (error) {
    if (!(error instanceof OperationFailed)) throw error;
    run.deploys = error.result.deploys;
    throw error.error;
  }
}

async function isServing({ deps, set }: Run): Promise<boolean> {
  const row = await deps.store.set(set.name);
  return Object.keys(row?.active ?? {}).length > 0;
}

async function writeHosts(run: Run): Promise<void> {
  const { deps, op, set, observed } = run;
  const wanted = set.topology === undefined ? [] : workstationHostsLines(set.topology);
  if (wanted.join('\n') === observed.hostsLines.join('\n')) return;
  if (!(await deps.hosts.writable())) {
    const text = `/etc/hosts of this machine cannot be written; add what you need of:\n${wanted.join('\n')}`;
    return op.emit({ status: 'warning', action: 'workstation-hosts', text });
  }
  await deps.hosts.write(observed.set.name, wanted);
  run.changes++;
  op.emit({ status: 'changed', action: 'workstation-hosts', text: 'updated /etc/hosts of this machine' });
}

function sitesOf(set: ServerSet, nodes: readonly NodeRecord[]): UpResult['sites'] {
  const entry = nodesWithRole(nodes, 'balancer')[0] ?? nodesWithRole(nodes, 'appserver')[0];
  return set.locations.map(({ host, path, app }) => ({
    url: `http://${host}${path}`,
    app,
    address: entry?.address ?? '',
  }));
}
