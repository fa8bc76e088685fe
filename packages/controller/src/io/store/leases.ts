import type { Lease, Store } from '../../ports.ts';
import type { Database } from './database.ts';
import { foldFences, PAST_EPOCH, PAST_TOKEN } from './fences.ts';
import { leaseRow, parseRow } from './rows.ts';

const NEXT_TOKEN = `INSERT INTO fences (set_name, epoch, token) VALUES (?, ${PAST_EPOCH}, ${PAST_TOKEN} + 1)
  ON CONFLICT (set_name) DO UPDATE SET token = token + 1 RETURNING token`;

/** Leases, and the tokens that fence off whoever held one before. */
export function leasesTable(db: Database): Pick<Store, 'acquireLease' | 'releaseLease' | 'beatLease' | 'dropLeases'> {
  const find = (set: string): Lease | undefined => {
    const row = db.get('SELECT * FROM leases WHERE set_name = ?', set);
    return row && parseRow(leaseRow, row, { file: db.file, table: 'leases' });
  };
  return {
    acquireLease: async (set, holder, operation, since) =>
      db.transaction(() => {
        const held = find(set);
        if (held !== undefined) return { lease: held, granted: false };
        const lease = { set, holder, operation, since, token: Number(db.get(NEXT_TOKEN, set)?.token), beats: 0 };
        db.run(
          'INSERT INTO leases (set_name, holder, operation, since, token) VALUES (?, ?, ?, ?, ?)',
          ...[set, holder, operation, since, lease.token],
        );
        return { lease, granted: true };
      }),
    async releaseLease(set, token) {
      db.transaction(() => {
        db.run('DELETE FROM leases WHERE set_name = ? AND token = ?', set, token);
        foldFences(db);
      });
    },
    async beatLease(set, token) {
      db.run('UPDATE leases SET beats = beats + 1 WHERE set_name = ? AND token = ?', set, token);
    },
    async dropLeases() {
      db.transaction(() => {
        db.run('DELETE FROM leases');
        foldFences(db);
      });
    },
  };
}
