/** How a deploy ended whose controller did not live to say so: as the set's row says. */
import { type DeployRecord, SlError, toWireError } from '@silverlining/protocol';
import type { DeployRow, ReleaseRecord, SetRecord } from '../../records.ts';

export interface Ending {
  record: DeployRecord;
  /** Whether the release goes: this deploy made it, and it is not what serves. */
  forget: boolean;
}

/**
 * Without a commit it is aborted. With one it is done and watched, as nobody has verified it yet, unless the row no longer names its instance: then it was switched back
 * already, and is no success. `set` is the row as it is now; what is left is ended before the next deploy of the set begins.
 */
export function endingOf(
  row: DeployRow,
  set: Pick<SetRecord, 'epoch' | 'active'>,
  release: Pick<ReleaseRecord, 'createdAt' | 'committedAt'> | undefined,
): Ending {
  const isOwn = release !== undefined && isMadeBy(row, release);
  if (row.state !== 'committed') {
    const error = toWireError(new SlError('E_ABORTED', STAGING));
    return { record: { ...row.record, outcome: 'aborted', error }, forget: isOwn && release.committedAt === undefined };
  }
  const { epoch, active } = set;
  if (active[row.app] === row.instance)
    return { record: { ...row.record, outcome: 'done', epoch, watching: true }, forget: false };
  const error = toWireError(new SlError('E_APP_UNHEALTHY', SWITCHED_BACK));
  return { record: { ...row.record, outcome: 'rolled-back', epoch, error }, forget: isOwn };
}

/** A rollback's release was there before it. A deploy and its release have the same time: which is earlier says nothing where the clock was set. */
export function isMadeBy(row: Pick<DeployRow, 'startedAt'>, release: Pick<ReleaseRecord, 'createdAt'>): boolean {
  return release.createdAt === row.startedAt;
}

const STAGING = 'the controller ended, or could not record anything, while it was staging; nothing was switched';
const SWITCHED_BACK =
  'verification failed after the switch, and what was live before is live again; the controller ended before it recorded what was wrong';
