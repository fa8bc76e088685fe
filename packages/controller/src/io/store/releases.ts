import { type Manifest, manifestText, readManifestText, toSlError } from '@silverlining/protocol';
import type { ReleaseEntry, Store } from '../../ports.ts';
import type { Database, Row } from './database.ts';
import { manifestRow, manifestTextRow, parseRow, releaseRow } from './rows.ts';
import { damaged } from './store-error.ts';

/** Removes manifests that no release refers to any more. */
export const PRUNE_MANIFESTS = 'DELETE FROM manifests WHERE digest NOT IN (SELECT digest FROM releases)';

/** Manifests kept in memory: of 10,000 files each they take a few MB, and tens of milliseconds to read and check. */
const CACHED = 8;

const PUT = `INSERT INTO releases (set_name, instance, app, digest, spec, config, created_at, committed_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (set_name, instance) DO UPDATE SET app = excluded.app, digest = excluded.digest, spec = excluded.spec,
    config = excluded.config, created_at = excluded.created_at, committed_at = excluded.committed_at`;

export function releasesTable(db: Database): Pick<Store, 'releases' | 'release' | 'putRelease' | 'deleteReleases'> {
  const manifests = manifestsTable(db);
  const toEntry = (row: Row): ReleaseEntry => parseRow(releaseRow, row, { file: db.file, table: 'releases' });
  return {
    async releases(set, app) {
      const sql = `SELECT * FROM releases WHERE set_name = ? AND app = coalesce(?, app) ORDER BY created_at, instance`;
      return db.all(sql, set, app ?? null).map(toEntry);
    },
    async release(set, instance) {
      const row = db.get('SELECT * FROM releases WHERE set_name = ? AND instance = ?', set, instance);
      if (row === undefined) return undefined;
      const entry = toEntry(row);
      return { ...entry, manifest: manifests.get(entry.digest) };
    },
    async putRelease(release, text) {
      const { set, instance, app, digest, spec, config, createdAt, committedAt } = release;
      db.transaction(() => {
        manifests.put(digest, release.manifest, text);
        const json = [JSON.stringify(spec), JSON.stringify(config)];
        db.run(PUT, set, instance, app, digest, ...json, createdAt, committedAt ?? null);
      });
    },
    async deleteReleases(set, instances) {
      db.transaction(() => {
        for (const instance of instances)
          db.run('DELETE FROM releases WHERE set_name = ? AND instance = ?', set, instance);
        db.run(PRUNE_MANIFESTS);
      });
    },
  };
}

/** A manifest never changes under its digest, so that what was read once stays true. */
function manifestsTable(db: Database) {
  const cache = new Map<string, Manifest>();
  const remember = (digest: string, manifest: Manifest) => {
    cache.delete(digest);
    cache.set(digest, manifest);
    const [oldest] = cache.keys();
    if (cache.size > CACHED && oldest !== undefined) cache.delete(oldest);
    return manifest;
  };
  return {
    get(digest: string): Manifest {
      const known = cache.get(digest);
      if (known !== undefined) return remember(digest, known);
      const row = db.get('SELECT body, text FROM manifests WHERE digest = ?', digest);
      if (row === undefined) throw damaged(db.file, `manifest ${digest} is missing`);
      return remember(digest, manifestIn(row, db.file));
    },
    put(digest: string, manifest: Manifest, text?: Uint8Array): void {
      if (db.get('SELECT 1 FROM manifests WHERE digest = ?', digest) === undefined) {
        const written = text ?? Buffer.from(manifestText(manifest));
        db.run(`INSERT INTO manifests (digest, body, text) VALUES (?, '', ?)`, digest, written);
      }
      remember(digest, manifest);
    },
  };
}

function manifestIn(row: Row, file: string): Manifest {
  const where = { file, table: 'manifests' };
  if (row.text === null) return parseRow(manifestRow, row, where).body;
  const { text } = parseRow(manifestTextRow, row, where);
  try {
    return readManifestText(Buffer.from(text).toString('utf8'));
  } catch (error) {
    throw damaged(file, `a row of ${where.table}: ${toSlError(error).message}`, error);
  }
}
