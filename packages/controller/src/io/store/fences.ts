/**
 * Epochs and tokens only ever rise, also past the end of a set: what still runs of the old one (an agent, a controller
 * with an old token) stays fenced off from a new one of the same name. Once nothing of a set is left, its row goes into
 * the one of all sets that were, which has no name and which new sets start from.
 */
import type { Database } from './database.ts';

/** Highest epoch and token of the sets that were, as SQL. */
export const PAST_EPOCH = past('epoch');
export const PAST_TOKEN = past('token');

const GONE = `set_name <> '' AND set_name NOT IN (SELECT name FROM sets) AND set_name NOT IN (SELECT set_name FROM leases)`;
// The WHERE of the outer SELECT keeps SQLite from reading ON as a part of a join.
const FOLD = `INSERT INTO fences (set_name, epoch, token)
  SELECT '', highest, token FROM (SELECT max(max(epoch, heard)) AS highest, max(token) AS token FROM fences WHERE ${GONE})
  WHERE highest IS NOT NULL
  ON CONFLICT (set_name) DO UPDATE SET epoch = max(epoch, excluded.epoch), token = max(token, excluded.token)`;

/** Inside the transaction of whatever may have ended a set. */
export function foldFences(db: Database): void {
  db.run(FOLD);
  db.run(`DELETE FROM fences WHERE ${GONE}`);
}

function past(column: 'epoch' | 'token'): string {
  return `coalesce((SELECT ${column} FROM fences WHERE set_name = ''), 0)`;
}
