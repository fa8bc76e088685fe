import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type App, CHUNKED_FROM, type ManifestFile, manifestText, SlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import { buildManifest, bytesOf } from '../../core/release/manifest-build.ts';
import { type Ignore, parseIgnore } from '../../core/release/manifest-ignore.ts';
import type { ScannedRelease } from '../../ports.ts';
import type { ChunkCache } from './chunk-cache.ts';
import { createHasher, unreadable } from './file-content.ts';
import { type LargeContent, readLarge } from './large-file.ts';
import { createSlices } from './slices.ts';
import { openStatCache, type StatCache } from './stat-cache.ts';
import { type FoundFile, walk } from './walk.ts';

/** Bytes that take as long to read and hash as one file system call. */
const BYTES_PER_CALL = 16 << 10;

export interface Caches {
  /** Folder of the stat caches. */
  stats: string;
  chunks: ChunkCache;
}

/** Reads what an app is made of; only files whose stat changed since the last scan are read. */
export async function scan(app: App, caches: Caches, signal: AbortSignal): Promise<ScannedRelease> {
  const scannedAt = Date.now();
  const trees = [await walk({ folder: app.dir, part: 'app', ignore: await ignoreOf(app.dir) }, signal)];
  if (app.config !== undefined) {
    trees.push(await walk({ folder: app.config, part: 'config', ignore: await ignoreOf(app.config) }, signal));
  }
  const found = trees.flatMap((tree) => tree.files);
  const links = trees.flatMap((tree) => tree.links);
  const stats = openStatCache(caches.stats, [app.dir, app.config ?? ''], scannedAt);
  const files = await hashAll(found, { stats, chunks: caches.chunks }, signal);
  await stats.save();
  const manifest = buildManifest(app.name, files, links);
  const text = Buffer.from(manifestText(manifest));
  return { manifest, digest: hash('sha256', text), text, bytes: bytesOf(manifest) };
}

/** What is to stay at home. A file that is there and cannot be read is no empty one: what it names would be deployed. */
async function ignoreOf(folder: string): Promise<Ignore> {
  const path = `${folder}/.silverignore`;
  try {
    return parseIgnore(await readRegularFile(path));
  } catch (cause) {
    if (errno(cause) === 'ENOENT') return parseIgnore('');
    throw unreadable(path, cause);
  }
}

async function readRegularFile(path: string): Promise<string> {
  // Without O_NONBLOCK opening a FIFO waits for a writer that may never come.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error('it is not a regular file');
    return decode(await file.readFile());
  } finally {
    await file.close();
  }
}

/** In another encoding, UTF-16 say, no pattern would name anything. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error('it is not UTF-8', { cause });
  }
}

async function hashAll(
  found: readonly FoundFile[],
  { stats, chunks }: { stats: StatCache; chunks: ChunkCache },
  signal: AbortSignal,
): Promise<ManifestFile[]> {
  const slices = createSlices(signal);
  const hashFile = createHasher();
  const hashed: ManifestFile[] = [];
  for (const { path, absolute, stat } of found) {
    const size = Number(stat.size);
    let sha256 = stats.lookUp(path, stat);
    if (sha256 === undefined) {
      const isLarge = size >= CHUNKED_FROM;
      const content = isLarge
        ? await hashLarge(absolute, { chunks, before: stats.before(path) }, signal)
        : hashFile(absolute);
      if (content.bytes !== size)
        throw new SlError('E_APP_CONFIG', `${absolute} changed while being deployed; try again`);
      sha256 = content.sha256;
      stats.add(path, stat, sha256);
      if (!isLarge) await slices(1 + size / BYTES_PER_CALL);
    }
    // Executable or not is all that a release knows of modes.
    const mode = (stat.mode & 0o100n) === 0n ? 0o644 : 0o755;
    hashed.push({ path, mode, size, sha256 });
  }
  return hashed;
}

async function hashLarge(
  absolute: string,
  { chunks, before }: { chunks: ChunkCache; before: string | undefined },
  signal: AbortSignal,
): Promise<LargeContent> {
  const known = before === undefined ? undefined : await chunks.remembered(before);
  const content = await readLarge(absolute, signal, known);
  await chunks.add(content);
  return content;
}
