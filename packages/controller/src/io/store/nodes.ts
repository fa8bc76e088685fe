import type { Store } from '../../ports.ts';
import type { Database } from './database.ts';
import { nodeRow, parseRow } from './rows.ts';

// Contact and facts come from the agent at any time; a writer that read the node earlier must not undo them.
const PUT = `INSERT INTO nodes (uuid, set_name, name, roles, provider_id, address, state, key_hash, cert_generation,
    host_keys, last_seen, facts, told)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (uuid) DO UPDATE SET set_name = excluded.set_name, name = excluded.name, roles = excluded.roles,
    provider_id = excluded.provider_id, address = excluded.address, state = excluded.state,
    key_hash = excluded.key_hash, cert_generation = excluded.cert_generation, host_keys = excluded.host_keys,
    told = excluded.told,
    last_seen = max(coalesce(excluded.last_seen, last_seen), coalesce(last_seen, excluded.last_seen)),
    facts = coalesce(excluded.facts, facts)`;

export function nodesTable(db: Database): Pick<Store, 'nodes' | 'node' | 'putNode' | 'deleteNode' | 'touchNodes'> {
  const where = { file: db.file, table: 'nodes' };
  return {
    async nodes(set) {
      const rows = db.all('SELECT * FROM nodes WHERE set_name = ? ORDER BY rowid', set);
      return rows.map((row) => parseRow(nodeRow, row, where));
    },
    async node(uuid) {
      const row = db.get('SELECT * FROM nodes WHERE uuid = ?', uuid);
      return row && parseRow(nodeRow, row, where);
    },
    async putNode(node) {
      db.run(
        PUT,
        ...[node.uuid, node.set, node.name, JSON.stringify(node.roles)],
        ...[node.providerId ?? null, node.address ?? null, node.state, node.keyHash ?? null, node.certGeneration],
        ...[JSON.stringify(node.hostKeys), node.lastSeen ?? null, jsonOrNull(node.facts), node.told ?? null],
      );
    },
    async deleteNode(uuid) {
      db.run('DELETE FROM nodes WHERE uuid = ?', uuid);
    },
    async touchNodes(contacts) {
      const sql = `UPDATE nodes SET last_seen = max(?, coalesce(last_seen, 0)), facts = coalesce(?, facts) WHERE uuid = ?`;
      db.relaxed(() => {
        db.transaction(() => {
          for (const { uuid, lastSeen, facts } of contacts) db.run(sql, lastSeen, jsonOrNull(facts), uuid);
        });
      });
    },
  };
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
