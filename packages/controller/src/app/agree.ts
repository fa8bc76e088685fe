/** Brings row and nodes together where nodes have seen what the row has not: the controller's state was lost, or is older. */
import { SlError } from '@silverlining/protocol';
import { disputes, newestOf, overlooked, servedOf } from '../core/release/dispute.ts';
import type { AgentSession, NodeRecord, SetRecord } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';

/** No set gets there: a node that says so is broken, and following it would leave no epoch to go on to. */
const EPOCH_MAX = 2 ** 40;

/** What this needs of the controller. */
export type Agreement = Pick<ControllerDeps, 'store' | 'fleet' | 'clock' | 'log'>;

/** Notes an epoch above the row's, so that the next commit is not refused. What serves stays as it is. */
export async function hearEpoch({ store, log }: Agreement, set: SetRecord, session: AgentSession): Promise<void> {
  const epoch = newestOf(session.hello);
  if (epoch <= Math.max(set.epoch, set.heardEpoch)) return;
  const fields = { set: set.name, uuid: session.uuid, epoch, known: set.epoch };
  if (epoch > EPOCH_MAX) return log.warn(fields, 'an agent claims an epoch that cannot be; it is not followed');
  log.warn(fields, 'an agent has seen a higher epoch than this controller; the next commit will be above it');
  await store.hearEpoch(set.name, epoch);
}

/**
 * The set's row as it is when its agents have connected. When one of them has something else in force than what the row says
 * was committed, that is committed again: then it is the newest, and nodes are informed of it as of any other.
 */
export async function agree(
  { store, fleet, clock }: Agreement,
  { name, token, nodes }: { name: string; token: number; nodes: readonly NodeRecord[] },
): Promise<SetRecord | undefined> {
  const set = await store.set(name);
  if (set?.committed !== true) return set;
  const inForce = nodes.flatMap(({ uuid }) => inForceOn(fleet, uuid) ?? []);
  if (!inForce.some((it) => disputes(set, it))) return set;
  const epoch = await store.commit({ set: name, token, active: set.active, deploys: [], now: clock.now() });
  return { ...set, epoch };
}

/** What visitors of an app would be taken back to. */
export function servedNow(
  { fleet }: Pick<Agreement, 'fleet'>,
  set: SetRecord,
  { nodes, app }: { nodes: readonly NodeRecord[]; app: string },
): string | null {
  return servedOf(
    set,
    nodes.flatMap(({ uuid }) => inForceOn(fleet, uuid) ?? []),
    app,
  );
}

/** What the node said last of itself; undefined where it is not connected. */
export function inForceOn(fleet: Agreement['fleet'], uuid: string) {
  const session = fleet.session(uuid);
  return session?.health ?? session?.hello;
}

/** Before some apps are deployed: E_CONFLICT when that would change what others serve. `sl up` sees to all of them. */
export function requireAgreement(
  { fleet }: Pick<Agreement, 'fleet'>,
  set: SetRecord,
  { nodes, changed }: { nodes: readonly NodeRecord[]; changed: readonly string[] },
): void {
  const apps = { all: set.config.apps.map((it) => it.name), changed };
  for (const { uuid, name } of nodes) {
    const inForce = inForceOn(fleet, uuid);
    const [app] = inForce === undefined ? [] : overlooked(set, inForce, apps);
    if (app === undefined) continue;
    const serves = inForce?.active[app] ?? 'nothing';
    throw new SlError(
      'E_CONFLICT',
      `${name} serves ${serves} of ${app}, and this controller knows of ${set.active[app] ?? 'nothing'}: its state was lost, or is an older copy. Nothing was changed; sl up brings them together`,
      { details: { node: name } },
    );
  }
}
