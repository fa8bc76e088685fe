import { hash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type ChunkList, chunkDigest, MAX_CHUNK, type ManifestFile } from '@silverlining/protocol';
import { blobKey, errno, isBlobKey, isOutOfSpace, open } from '@silverlining/system';
import { isContent } from './file-hash.ts';
import { namesIn } from './names-in.ts';

/** Milliseconds after which nobody is expected to go on with a transfer. */
export const EXPIRES = 86_400_000;

/** Of what was left at a time, both in milliseconds since 1970. One that is far ahead is of a clock that was set back since. */
export function isExpired(leftAt: number, now: number): boolean {
  return Math.abs(now - leftAt) > EXPIRES;
}

/** Contents that an interruption left whole or in part, none of them verified. */
export class Leftovers {
  readonly #folder: string;
  readonly #keys: Set<string>;
  /** Where receptions have taken what was left, by key. */
  readonly #taken = new Map<string, string>();

  /** `incoming` holds the folders of receptions: what a killed agent left in them is moved here. */
  constructor(folder: string, incoming: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const path of filesOfBatches(incoming)) {
      const key = path.slice(path.lastIndexOf('-') + 1);
      if (isBlobKey(key)) keepIfPossible(() => renameSync(path, this.path(key)));
    }
    rmSync(incoming, { recursive: true, force: true });
    this.#keys = new Set(readdirSync(folder));
  }

  path(key: string): string {
    return `${this.#folder}/${key}`;
  }

  /** Takes note that there is something under the path now. */
  add(key: string): string {
    this.#keys.add(key);
    this.#taken.delete(key);
    return this.path(key);
  }

  /**
   * Moves what there is of a content. Where another reception has taken that, and may have made it whole by now, its first bytes
   * are copied: those are verified, and that one changes them no more.
   */
  async take(key: string, { bytes, to, whole }: { bytes: number; to: string; whole: string }): Promise<void> {
    if (this.#keys.delete(key)) {
      renameSync(this.path(key), to);
      this.#taken.set(key, to);
      return;
    }
    // Opened in one go: between two names it would be under neither.
    const fd = openEither(this.#taken.get(key) ?? whole, whole);
    await pipeline(createReadStream('', { fd, end: bytes - 1 }), createWriteStream(to, { flags: 'wx', mode: 0o600 }));
  }

  has(file: ManifestFile): boolean {
    return this.hasKey(blobKey(file));
  }

  hasKey(key: string): boolean {
    return this.#keys.has(key);
  }

  remove(key: string): void {
    this.#taken.delete(key);
    if (this.#keys.delete(key)) rmSync(this.path(key), { force: true });
  }

  removeAll(): void {
    for (const key of [...this.#keys]) this.remove(key);
  }

  removeExpired(now: number, needed: ReadonlySet<string> = new Set()): void {
    for (const key of [...this.#keys].filter((it) => !needed.has(it))) {
      const stat = statSync(this.path(key), { throwIfNoEntry: false });
      if (stat === undefined || isExpired(stat.mtimeMs, now)) this.remove(key);
    }
  }

  /**
   * Bytes that there are of a content: all of them only when they are the right ones. Others than the first are of no use. Whoever
   * asks is about to go on with it: it expires as if it had been left now.
   */
  async bytesOf(file: ManifestFile, signal: AbortSignal): Promise<number> {
    const key = blobKey(file);
    const stat = statSync(this.path(key), { throwIfNoEntry: false });
    const whole = stat?.size === file.size;
    const good = stat !== undefined && stat.size <= file.size;
    if (good) utimesSync(this.path(key), new Date(), new Date());
    if (good && (!whole || (await isContent(file, { path: this.path(key) }, signal)))) return stat.size;
    this.remove(key);
    return 0;
  }

  /** How many chunks at the start of what is left are those of the list. */
  async verified(file: ManifestFile, list: ChunkList, signal: AbortSignal): Promise<number> {
    if (!this.has(file)) return 0;
    const handle = await open(this.path(blobKey(file)), 'r').catch(() => undefined);
    if (handle === undefined) return 0;
    const buffer = Buffer.allocUnsafe(MAX_CHUNK);
    let position = 0;
    try {
      for (const [index, size] of list.sizes.entries()) {
        signal.throwIfAborted();
        // What the disk does not give is not it.
        const read = await handle.read(buffer, 0, size, position).catch(() => undefined);
        const digest = chunkDigest(list, index);
        const isIt = read?.bytesRead === size && hash('sha256', buffer.subarray(0, size), 'hex').startsWith(digest);
        if (!isIt) return index;
        position += size;
      }
      return list.sizes.length;
    } finally {
      await handle.close();
    }
  }
}

/** A full disk has no room for it, not even for a folder: then it goes with all that came so far, which makes room, and comes anew. */
export function keepIfPossible(keep: () => void): void {
  try {
    keep();
  } catch (error) {
    if (!isOutOfSpace(error)) throw error;
  }
}

function openEither(path: string, other: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error;
    return openSync(other, 'r');
  }
}

function filesOfBatches(incoming: string): string[] {
  const batches = namesIn(incoming);
  return batches.flatMap((batch) => namesIn(`${incoming}/${batch}`).map((name) => `${incoming}/${batch}/${name}`));
}
