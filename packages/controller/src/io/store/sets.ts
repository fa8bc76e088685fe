import { SlError } from '@silverlining/protocol';
import type { SetRecord, Store } from '../../ports.ts';
import type { Database } from './database.ts';
import { PAST_EPOCH, PAST_TOKEN } from './fences.ts';
import { PRUNE_MANIFESTS } from './releases.ts';
import { parseRow, setRow, setTexts } from './rows.ts';

const SELECT = `SELECT name, active, coalesce(epoch, ${PAST_EPOCH}) AS epoch, coalesce(heard, 0) AS heard,
    coalesce(committed, 0) AS committed
  FROM sets LEFT JOIN fences ON set_name = name WHERE name = ?`;

const HEAR = `INSERT INTO fences (set_name, epoch, token, heard)
  SELECT name, ${PAST_EPOCH}, ${PAST_TOKEN}, ? FROM sets WHERE name = ?
  ON CONFLICT (set_name) DO UPDATE SET heard = max(heard, excluded.heard)`;

export function setsTable(
  db: Database,
): Pick<Store, 'sets' | 'set' | 'putSet' | 'putTopology' | 'hearEpoch' | 'deleteSet'> {
  const where = { file: db.file, table: 'sets' };
  // Hundreds of kilobytes for a thousand nodes, read with each agent that connects. They are written here alone; who reads
  // them may not change them.
  const texts = new Map<string, Pick<SetRecord, 'config' | 'topology'>>();
  const textsOf = (name: string) => {
    const known = texts.get(name);
    if (known !== undefined) return known;
    const row = db.get('SELECT config, topology FROM sets WHERE name = ?', name) ?? {};
    const parsed = parseRow(setTexts, row, where);
    texts.set(name, parsed);
    return parsed;
  };
  const find = (name: string): SetRecord | undefined => {
    const row = db.get(SELECT, name);
    return row && { ...parseRow(setRow, row, where), ...textsOf(name) };
  };
  return {
    async sets() {
      const names = db.all('SELECT name FROM sets ORDER BY name').map((row) => String(row.name));
      return names.flatMap((name) => find(name) ?? []);
    },
    set: async (name) => find(name),
    async putSet(name, config) {
      const sql = `INSERT INTO sets (name, config, active) VALUES (?, ?, '{}')
        ON CONFLICT (name) DO UPDATE SET config = excluded.config`;
      db.run(sql, name, JSON.stringify(config));
      texts.delete(name);
      return find(name) ?? Promise.reject(noSet(name));
    },
    async putTopology(set, topology) {
      const changes = db.run('UPDATE sets SET topology = ? WHERE name = ?', JSON.stringify(topology), set);
      if (changes === 0) throw noSet(set);
      texts.delete(set);
    },
    async hearEpoch(set, epoch) {
      db.run(HEAR, epoch, set);
    },
    async deleteSet(name) {
      db.transaction(() => {
        db.run('DELETE FROM sets WHERE name = ?', name);
        db.run(PRUNE_MANIFESTS);
      });
      texts.delete(name);
    },
  };
}

/** E_NOT_FOUND for a set without a row. */
export function noSet(name: string): SlError {
  return new SlError('E_NOT_FOUND', `set ${name} does not exist`);
}
