import type { Store } from '../../ports.ts';
import type { Database } from './database.ts';
import { parseRow, secretRow } from './rows.ts';

export function secretsTable(db: Database): Pick<Store, 'secret'> {
  return {
    secret: async (set, name, make) =>
      db.transaction(() => {
        const row = db.get('SELECT value FROM secrets WHERE set_name = ? AND name = ?', set, name);
        if (row !== undefined) return parseRow(secretRow, row, { file: db.file, table: 'secrets' }).value;
        const value = make();
        db.run('INSERT INTO secrets (set_name, name, value) VALUES (?, ?, ?)', set, name, value);
        return value;
      }),
  };
}
