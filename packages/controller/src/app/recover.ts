/** At start: what an earlier controller left in doubt is decided by what it wrote. No row, no switch. */
import { endingOf } from '../core/release/ending.ts';
import type { DeployRow, SetRecord } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';

export async function recover(deps: ControllerDeps): Promise<void> {
  await deps.store.dropLeases();
  for (const set of await deps.store.sets()) await endLeftDeploys(deps, set);
}

/**
 * Only while nobody else can be deploying the set, or those of one operation that has ended. Deploys that were staging are aborted:
 * agents remove what they staged when they are greeted. Deploys that were committed are done, or were switched back: agents that missed
 * the switch learn it when they are greeted.
 */
export async function endLeftDeploys(deps: ControllerDeps, set: SetRecord, operation?: string): Promise<void> {
  for (const row of await deps.store.deploys(set.name)) {
    if (row.state === 'ended') continue;
    if (operation === undefined || row.id.startsWith(`${operation}.`)) await end(deps, row, set);
  }
}

async function end(deps: ControllerDeps, row: DeployRow, set: SetRecord): Promise<void> {
  const { record, forget } = endingOf(row, set, await deps.store.release(row.set, row.instance));
  if (forget) await deps.store.deleteReleases(row.set, [row.instance]);
  await deps.store.putDeploy({ ...row, state: 'ended', record });
  deps.log.info({ deploy: row.id, outcome: record.outcome }, 'ended a deploy that was cut off');
}
