/** Deploys apps of a set that is up: services first, then one rollout of everything that changed. */
import { type ApiRequest, type DeployRecord, type DeployResult, nodesWithRole, SlError } from '@silverlining/protocol';
import type { NodeRecord } from '../ports.ts';
import { type OperationContext, OperationFailed } from '../service.ts';
import { hearEpoch, requireAgreement } from './agree.ts';
import { checkConfigs } from './check-configs.ts';
import { type ControllerDeps, combined } from './deps.ts';
import { tellOfFormerFile } from './former-file.ts';
import { agentsBack } from './grace.ts';
import { withLease } from './lease.ts';
import { membersOf } from './members.ts';
import { tellOfRollbacks, tellOfTheRest } from './notices.ts';
import { observeApps } from './observe.ts';
import { prepareItems, splitApps, unchangedRecord } from './prepare.ts';
import { type RolloutInput, rollout } from './rollout.ts';
import { unknownSet } from './status.ts';

export async function deploy(
  deps: ControllerDeps,
  op: OperationContext,
  request: ApiRequest<'deploy'>,
): Promise<DeployResult> {
  const { set: wanted, apps } = request;
  const unknown = apps.find((name) => !wanted.apps.some((app) => app.name === name));
  if (unknown !== undefined) throw new SlError('E_NOT_FOUND', `no app ${unknown}; there are ${names(wanted.apps)}`);
  const before = await deps.store.set(wanted.name);
  if (before === undefined) throw unknownSet(wanted.name);
  return withLease(deps, op, { set: wanted.name, holder: 'sl deploy' }, async (token) => {
    await tellOfFormerFile(deps, op, wanted, before);
    const set = await deps.store.putSet(wanted.name, wanted);
    await tellOfRollbacks(deps, op, set);
    if (set.topology !== undefined) await tellOfTheRest(deps, op, set);
    const observed = await observeApps(deps, wanted, set, op.signal, apps);
    await checkConfigs(deps, observed, op.signal);
    const { changed, unchanged } = await splitApps(deps, set, observed);
    const deploys = unchanged.map((it) => unchangedRecord(op.operationId, set, it));
    if (changed.length === 0) return { deploys };
    const nodes = await membersOf(deps, set.name);
    await awaitAgents(deps, op, { set, nodes });
    const items = await prepareItems(deps, set, changed);
    return { deploys: [...deploys, ...(await rollOut(deps, op, { set, token, items, nodes }))] };
  });
}

/** Milliseconds: an agent that was started again a moment ago, or whose connection broke, is back by then. */
const MOMENT = 5_000;

export interface RollOut extends Pick<RolloutInput, 'set' | 'token' | 'items' | 'leaveOut'> {
  nodes: readonly NodeRecord[];
  /** Apps of which the caller has seen to what serves after it: those of the items, unless it says more. */
  decided?: readonly string[];
}

/**
 * Before it is said what is to be deployed: nodes know of names and epochs that a controller whose state is an older copy does not.
 * E_NODE_DISCONNECTED where one does not come, as it could not take part and would only abort the rollout later.
 */
export async function awaitAgents(
  deps: ControllerDeps,
  op: OperationContext,
  { set, nodes }: Pick<RollOut, 'set' | 'nodes'>,
): Promise<void> {
  const needed = nodes.filter(({ roles }) => roles.includes('appserver') || roles.includes('balancer'));
  await agentsBack(deps, needed, {
    signal: op.signal,
    least: MOMENT,
    onWait: (names) => op.emit({ status: 'info', action: 'connect', text: `waiting for the agents of ${names}` }),
  });
  const sessions = needed.flatMap((node) => deps.fleet.session(node.uuid) ?? []);
  for (const session of sessions) await hearEpoch(deps, set, session);
  const connected = new Set(sessions.map(({ uuid }) => uuid));
  const away = needed.filter(({ uuid }) => !connected.has(uuid));
  const [first] = away;
  if (first === undefined) return;
  throw new SlError(
    'E_NODE_DISCONNECTED',
    `the agent of ${names(away)} is not connected; nothing was changed. sl status says more, and sl up mends nodes`,
    { details: { node: first.name } },
  );
}

/** Runs a rollout on those of the nodes that it concerns; OperationFailed with the records unless it is done. */
export async function rollOut(
  deps: ControllerDeps,
  op: OperationContext,
  { set, nodes, decided, ...what }: RollOut,
): Promise<DeployRecord[]> {
  const appservers = nodesWithRole(nodes, 'appserver');
  if (appservers.length === 0) throw new SlError('E_CONFLICT', `${set.name} has no app server yet: sl up sets it up`);
  const balancers = nodesWithRole(nodes, 'balancer');
  // With the epoch that agents told of.
  const current = (await deps.store.set(set.name)) ?? set;
  requireAgreement(deps, current, {
    nodes: [...appservers, ...balancers],
    changed: decided ?? what.items.map(({ app }) => app.name),
  });
  const deploys = await rollout(deps, op, { ...what, set: current, appservers, balancers });
  const errors = deploys.flatMap((it) => (it.error === undefined ? [] : [it.error]));
  const [first] = errors;
  if (first !== undefined) throw new OperationFailed(combined([first]), { deploys });
  return deploys;
}

function names(all: readonly { name: string }[]): string {
  return all.map((it) => it.name).join(', ');
}
