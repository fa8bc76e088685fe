/** Takes back, everywhere and as one, a deploy that turned out bad when its command had ended already. */
import { type DeployRecord, nodesWithRole, type WireError } from '@silverlining/protocol';
import { isMadeBy } from '../core/release/ending.ts';
import { startReverting } from '../core/release/reduce.ts';
import type { DeployRow, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';
import { withLease } from './lease.ts';
import { membersOf } from './members.ts';
import { endLeftDeploys } from './recover.ts';
import { itemOf } from './rollback.ts';
import { contextOf, type RolloutItem } from './rollout.ts';
import type { RolloutContext } from './rollout-context.ts';
import { runMachine } from './rollout-machine.ts';
import { deployRecord, operationIn } from './rollout-record.ts';
import { type Failing, isWatched } from './watch.ts';

export async function revert(deps: ControllerDeps, name: string, failing: Failing): Promise<void> {
  const emit: OperationContext['emit'] = ({ status, text, node }) => deps.log.info({ set: name, status, node }, text);
  const op = operationOf(failing, emit);
  await withLease(deps, op, { set: name, holder: 'the automatic rollback' }, (token) =>
    revertUnder(token, deps, { name, emit, failing }),
  );
}

/** It goes on under the id of the operation that it takes back, so that their record is one. Nobody cancels it. */
function operationOf({ rows: [first] }: Failing, emit: OperationContext['emit']): OperationContext {
  return {
    operationId: operationIn(first?.id ?? ''),
    by: first?.record.by,
    signal: new AbortController().signal,
    emit,
  };
}

interface Reverting {
  name: string;
  emit: OperationContext['emit'];
  failing: Failing;
}

/** The same for who has the set's lease, with this token. */
export async function revertUnder(
  token: number,
  deps: ControllerDeps,
  { name, emit, failing }: Reverting,
): Promise<void> {
  const { error } = failing;
  const set = await deps.store.set(name);
  const rows = (await Promise.all(failing.rows.map(({ id }) => deps.store.deploy(id)))).flatMap((it) => it ?? []);
  // Whoever held the lease until now may have put something else in its place.
  if (set === undefined || rows.some((it) => set.active[it.app] !== it.instance)) return;
  const items = await itemsOf(deps, set, rows);
  const nodes = await membersOf(deps, name);
  const roles = { appservers: nodesWithRole(nodes, 'appserver'), balancers: nodesWithRole(nodes, 'balancer') };
  const op = operationOf(failing, emit);
  try {
    await goBack(contextOf(deps, op, { set, token, items, ...roles }), rows, error);
  } catch (thrown) {
    // Nodes keep what belongs to a deploy under way, and whoever has the lease may not know of this one.
    await endLeftDeploys(deps, (await deps.store.set(name)) ?? set, op.operationId);
    throw thrown;
  }
}

async function itemsOf(deps: ControllerDeps, set: SetRecord, rows: readonly DeployRow[]): Promise<RolloutItem[]> {
  const items = await Promise.all(
    rows.map(async (row) => {
      const release = await deps.store.release(set.name, row.instance);
      if (release === undefined) return [];
      return [{ ...itemOf(release), previous: row.record.previous, fresh: isMadeBy(row, release) }];
    }),
  );
  return items.flat();
}

async function goBack(context: RolloutContext, rows: readonly DeployRow[], error: WireError): Promise<void> {
  const { deps, input, state } = context;
  if (!(await reopen(deps, input.set.name, rows))) return;
  deps.log.warn({ set: input.set.name, deploy: state.plan.id }, `rolling back: ${error.message}`);
  resume(context, rows);
  await runMachine(context, startReverting(state.plan, error));
  for (const row of rows) {
    const item = input.items.find((it) => it.instance === row.instance);
    if (item === undefined) continue;
    const record = ended(row.record, deployRecord(context, item, deps.clock.monotonic()));
    if (record.outcome !== 'done' && item.fresh) await deps.store.deleteReleases(row.set, [row.instance]);
    await deps.store.putDeploy({ ...row, state: 'ended', record });
  }
}

/**
 * The commit names its deploys, and none that has ended. False, and nothing is changed, where somebody has said meanwhile that they are
 * good: then nodes may have stopped what they would be taken back to. Once they are open, nodes keep that running.
 */
async function reopen({ store }: ControllerDeps, set: string, rows: readonly DeployRow[]): Promise<boolean> {
  const ids = new Set(rows.map((it) => it.id));
  let isOpen = false;
  await store.changeDeploys(set, (all) => {
    const watched = all.filter((it) => ids.has(it.id) && isWatched(it));
    isOpen = watched.length === rows.length;
    return isOpen ? watched.map((row) => ({ ...row, state: 'committed' })) : [];
  });
  return isOpen;
}

/** Times go on from those of the deploy. */
function resume({ deps, measured }: RolloutContext, rows: readonly DeployRow[]): void {
  const startedAt = Math.min(...rows.map((it) => it.startedAt));
  measured.start = deps.clock.monotonic() - (deps.clock.now() - startedAt);
  for (const { app, record } of rows) {
    for (const { node, event, ms } of record.timeline ?? [])
      measured.timeline.push({ node, app, event, at: measured.start + ms });
  }
}

/** What was sent, counted and staged by the deploy stands; how it ended does not. */
function ended(deploy: DeployRecord, { watching: _, ...reverted }: DeployRecord): DeployRecord {
  const { files, bytes, requests } = deploy;
  return {
    ...reverted,
    ...{ files, bytes, ...(requests === undefined ? {} : { requests }) },
    ms: { ...reverted.ms, stage: deploy.ms.stage },
  };
}
