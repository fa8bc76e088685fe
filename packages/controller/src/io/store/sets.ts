import { SlError } from '@silverlining/protocol';
import type { SetRecord, Store } from '../../ports.ts';
import type { Database } from './database.ts';
import { PAST_EPOCH, PAST_TOKEN } from './fences.ts';
import { PRUNE_MANIFESTS } from './releases.ts';
import { parseRow, setRow } from './rows.ts';

const SELECT = `SELECT name, config, topology, active, coalesce(epoch, ${PAST_EPOCH}) AS epoch, coalesce(heard, 0) AS heard,
    coalesce(committed, 0) AS committed
  FROM sets LEFT JOIN fences ON set_name = name`;

const HEAR = `INSERT INTO fences (set_name, epoch, token, heard)
  SELECT name, ${PAST_EPOCH}, ${PAST_TOKEN}, ? FROM sets WHERE name = ?
  ON CONFLICT (set_name) DO UPDATE SET heard = max(heard, excluded.heard)`;

export function setsTable(
  db: Database,
): Pick<Store, 'sets' | 'set' | 'putSet' | 'putTopology' | 'hearEpoch' | 'deleteSet'> {
  const where = { file: db.file, table: 'sets' };
  const find = (name: string): SetRecord | undefined => {
    const row = db.get(`${SELECT} WHERE name = ?`, name);
    return row && parseRow(setRow, row, where);
  };
  return {
    sets: async () => db.all(`${SELECT} ORDER BY name`).map((row) => parseRow(setRow, row, where)),
    set: async (name) => find(name),
    async putSet(name, config) {
      const sql = `INSERT INTO sets (name, config, active) VALUES (?, ?, '{}')
        ON CONFLICT (name) DO UPDATE SET config = excluded.config`;
      db.run(sql, name, JSON.stringify(config));
      return find(name) ?? Promise.reject(noSet(name));
    },
    async putTopology(set, topology) {
      const changes = db.run('UPDATE sets SET topology = ? WHERE name = ?', JSON.stringify(topology), set);
      if (changes === 0) throw noSet(set);
    },
    async hearEpoch(set, epoch) {
      db.run(HEAR, epoch, set);
    },
    async deleteSet(name) {
      db.transaction(() => {
        db.run('DELETE FROM sets WHERE name = ?', name);
        db.run(PRUNE_MANIFESTS);
      });
    },
  };
}

/** E_NOT_FOUND for a set without a row. */
export function noSet(name: string): SlError {
  return new SlError('E_NOT_FOUND', `set ${name} does not exist`);
}
