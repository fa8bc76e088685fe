/** At start: what an earlier controller left in doubt is decided by what it wrote. No row, no switch. */
import { SlError, toWireError } from '@silverlining/protocol';
import type { DeployRow } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';

/**
 * Deploys that were staging are aborted: agents remove what they staged when they are greeted. Deploys that were
 * committed are done: agents that missed the switch learn it when they are greeted.
 */
export async function recover(deps: ControllerDeps): Promise<void> {
  await deps.store.dropLeases();
  for (const set of await deps.store.sets()) {
    for (const row of await deps.store.deploys(set.name)) {
      if (row.state !== 'ended') await end(deps, row, set.epoch);
    }
  }
}

/** `epoch`: the set's, which only the last commit can have raised, as deploys of a set do not overlap. */
async function end(deps: ControllerDeps, row: DeployRow, epoch: number): Promise<void> {
  const committed = row.state === 'committed';
  const error = toWireError(
    new SlError('E_ABORTED', 'the controller ended while it was staging; nothing was switched'),
  );
  const record = committed
    ? { ...row.record, outcome: 'done' as const, epoch }
    : { ...row.record, outcome: 'aborted' as const, error };
  await deps.store.putDeploy({ ...row, state: 'ended', record });
  if (!committed) await deps.store.deleteReleases(row.set, await neverLive(deps, row));
  deps.log.info({ deploy: row.id, outcome: record.outcome }, 'ended a deploy that was cut off');
}

/** A rollback that was cut off stages a release that was live before: that one stays. */
async function neverLive(deps: ControllerDeps, row: DeployRow): Promise<string[]> {
  const release = await deps.store.release(row.set, row.instance);
  return release?.committedAt === undefined ? [row.instance] : [];
}
