/** Which deploys the journal may forget, so that it does not grow for ever. Pure. */
import type { DeployRow } from '../../records.ts';

/** Deploys that are kept of an app. What is still live or can be gone back to is kept besides. */
export const DEPLOYS_KEPT = 100;

type Row = Pick<DeployRow, 'id' | 'instance' | 'state'>;

/**
 * Ids of rows that can go. `rows`: an app's, oldest first; `releases`: instances whose release is still there. Of each of
 * those the deploy that made it stays, and of the newest instance too, which may be gone already: names are given once.
 */
export function surplusDeploys(rows: readonly Row[], releases: ReadonlySet<string>): string[] {
  const makers = new Map<string, Row>();
  for (const row of rows) if (!makers.has(row.instance)) makers.set(row.instance, row);
  const newest = [...makers.values()].at(-1);
  const stays = (row: Row) => row === newest || (makers.get(row.instance) === row && releases.has(row.instance));
  const old = rows.slice(0, Math.max(0, rows.length - DEPLOYS_KEPT));
  return old.filter((it) => it.state === 'ended' && !stays(it)).map((it) => it.id);
}
