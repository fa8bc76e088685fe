/** Brings row and nodes together where nodes have seen what the row has not: the controller's state was lost, or is older. */

import { disputes } from '../core/release/dispute.ts';
import type { AgentSession, NodeRecord, SetRecord } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';

/** No set gets there: a node that says so is broken, and following it would leave no epoch to go on to. */
const EPOCH_MAX = 2 ** 40;

/** Raises the set's epoch to what the agent has seen, so that the next commit is not refused. What serves stays as it is. */
export async function followEpoch(deps: ControllerDeps, set: SetRecord, session: AgentSession): Promise<SetRecord> {
  const { epoch } = session.hello;
  if (epoch <= set.epoch) return set;
  const fields = { set: set.name, uuid: session.uuid, epoch, known: set.epoch };
  if (epoch > EPOCH_MAX) {
    deps.log.warn(fields, 'an agent claims an epoch that cannot be; it is not followed');
    return set;
  }
  deps.log.warn(fields, 'an agent has seen a higher epoch than this controller; the next commit will be above it');
  return { ...set, epoch: await deps.store.raiseEpoch(set.name, epoch) };
}

/**
 * The set's row as it is when its agents have connected. When one of them has another map in force at the row's epoch, what
 * the row says is committed again: then it is the newest, and nodes are informed of it as of any other.
 */
export async function agree(
  deps: ControllerDeps,
  { name, token, nodes }: { name: string; token: number; nodes: readonly NodeRecord[] },
): Promise<SetRecord | undefined> {
  const set = await deps.store.set(name);
  if (set === undefined || Object.keys(set.active).length === 0) return set;
  const { active } = set;
  const inForce = nodes.flatMap(({ uuid }) => {
    const session = deps.fleet.session(uuid);
    return session === undefined ? [] : [session.health ?? session.hello];
  });
  if (!inForce.some((it) => disputes(set, it))) return set;
  const epoch = await deps.store.commit({ set: name, token, active, deploys: [], now: deps.clock.now() });
  return { ...set, epoch };
}
