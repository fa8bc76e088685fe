import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { writeCacheFile } from './cache-file.ts';

/** Hash by path, valid as long as the file's stat is the same. */
export interface StatCache {
  lookUp(path: string, stat: BigIntStats): string | undefined;
  /** The hash that a file had when it was last looked at. */
  before(path: string): string | undefined;
  /** What the next scan may rely on; written only when it differs from what was read. */
  save(entries: readonly { path: string; stat: BigIntStats; sha256: string }[], scannedAt: number): Promise<void>;
}

const HEADER = 'silver-stat-cache 1';
/**
 * Nanoseconds. A file that was changed this short before it was read may be changed again within the same tick of
 * the file system's clock, and look the same: as git does with racily clean entries, it is read again next time.
 */
const RACY = 1_000_000_000n;
/** In place of such a file's identity: no file has it. */
const UNKNOWN = '-';

/** Opens the cache of some folders; a cache that is missing or damaged is empty. */
export async function openStatCache(directory: string, folders: readonly string[]): Promise<StatCache> {
  const name = createHash('sha256').update(folders.join('\0')).digest('hex');
  const path = `${directory}/${name.slice(0, 32)}`;
  const text = await readFile(path, 'utf8').catch(() => '');
  const known = parse(text);
  const asBefore = new Set<string>();
  return {
    lookUp: (file, stat) => {
      const entry = known.get(file);
      if (entry?.identity !== identity(stat)) return undefined;
      asBefore.add(file);
      return entry.sha256;
    },
    before: (file) => known.get(file)?.sha256,
    save: async (entries, scannedAt) => {
      if (asBefore.size === known.size && entries.length === known.size) return;
      const racyFrom = BigInt(scannedAt) * 1_000_000n - RACY;
      const isClean = (stat: BigIntStats) => stat.mtimeNs < racyFrom && stat.ctimeNs < racyFrom;
      const lines = entries.map(
        ({ path, stat, sha256 }) => `${path}\t${isClean(stat) ? identity(stat) : UNKNOWN}\t${sha256}\n`,
      );
      const next = `${HEADER}\n${lines.join('')}`;
      if (next !== text) await writeCacheFile(path, next);
    },
  };
}

function identity(stat: BigIntStats): string {
  return `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino} ${stat.mode}`;
}

function parse(text: string): Map<string, { identity: string; sha256: string }> {
  const entries = new Map<string, { identity: string; sha256: string }>();
  const [header, ...lines] = text.split('\n');
  if (header !== HEADER) return entries;
  for (const line of lines) {
    const [path, stat, sha256] = line.split('\t');
    if (path === undefined || stat === undefined || sha256?.length !== 64) continue;
    entries.set(path, { identity: stat, sha256 });
  }
  return entries;
}
