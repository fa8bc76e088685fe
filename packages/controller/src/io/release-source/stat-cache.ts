import { createHash } from 'node:crypto';
import { type BigIntStats, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pruneCache, writeCacheFile } from './cache-file.ts';

const HEADER = 'silver-stat-cache 1\n';
/**
 * Nanoseconds. A file that was changed this short before it was read may be changed again within the same tick of
 * the file system's clock, and look the same: as git does with racily clean entries, it is read again next time. FAT has ticks of two seconds.
 */
const RACY = 2_000_000_000n;
/** In place of such a file's identity: no file has it. */
const UNKNOWN = '-';
/** Lines that are looked for one by one; with more, a table of all of them is quicker. */
const SEARCHES = 16;
const SHA256_LENGTH = 64;
/** Caches that are kept, the newest: one of ten thousand files has a megabyte or two. */
export const KEPT = 100;

/** Opens the cache of some folders for one scan; a cache that is missing or damaged is empty. */
export function openStatCache(directory: string, folders: readonly string[], scannedAt = Date.now()): StatCache {
  const name = createHash('sha256').update(folders.join('\0')).digest('hex');
  return new StatCache(`${directory}/${name.slice(0, 32)}`, BigInt(scannedAt) * 1_000_000n - RACY);
}

/**
 * Hash by path, valid as long as the file's stat is the same: a line each, in the order of the scan that wrote them. The next scan
 * meets the files in the same order, but for what changed, so that it goes along with the text: no table of all lines is made, and what
 * did not change is written as it was read.
 */
export class StatCache {
  readonly #path: string;
  /** Nanoseconds since 1970: what changed after this may change again and look the same. */
  readonly #racyFrom: bigint;
  readonly #text: string;
  /** Where the line after the last one that was found begins. */
  #at = HEADER.length;
  #searches = 0;
  #lines: Map<string, number> | undefined;
  /** Of the text that the next scan will read, in parts, without the lines that were found last. */
  readonly #next = [HEADER];
  #found = { start: HEADER.length, end: HEADER.length };

  constructor(path: string, racyFrom: bigint) {
    this.#path = path;
    this.#racyFrom = racyFrom;
    this.#text = readText(path);
  }

  /** The hash of a file that is as it was; of any other, `add` has to be told. */
  lookUp(path: string, stat: BigIntStats): string | undefined {
    const start = this.#lineOf(path);
    if (start === undefined) return undefined;
    const known = `${path}\t${identity(stat)}\t`;
    if (!this.#text.startsWith(known, start)) return undefined;
    const sha256 = this.#hashAt(start + known.length);
    if (sha256 === undefined) return undefined;
    if (start !== this.#found.end) this.#flush(start);
    this.#found.end = this.#at;
    return sha256;
  }

  /** The hash that a file had when it was last looked at. */
  before(path: string): string | undefined {
    const start = this.#lineOf(path);
    return start === undefined ? undefined : this.#hashAt(this.#text.indexOf('\t', start + path.length + 1) + 1);
  }

  add(path: string, stat: BigIntStats, sha256: string): void {
    const isClean = stat.mtimeNs < this.#racyFrom && stat.ctimeNs < this.#racyFrom;
    this.#flush(this.#at);
    this.#next.push(`${path}\t${isClean ? identity(stat) : UNKNOWN}\t${sha256}\n`);
  }

  /** Keeps what the next scan may rely on. */
  async save(): Promise<void> {
    const isAsBefore = this.#next.length === 1 && this.#found.end === this.#text.length;
    if (isAsBefore && this.#found.start === HEADER.length) return;
    this.#flush(this.#at);
    await writeCacheFile(this.#path, this.#next);
    await pruneCache(dirname(this.#path), KEPT);
  }

  /** Where the line of a path begins; the one after it is expected next. */
  #lineOf(path: string): number | undefined {
    const start = this.#text.startsWith(`${path}\t`, this.#at) ? this.#at : this.#search(path);
    if (start !== undefined) this.#at = this.#text.indexOf('\n', start) + 1;
    return start;
  }

  #search(path: string): number | undefined {
    if (this.#searches++ < SEARCHES) {
      const end = this.#text.indexOf(`\n${path}\t`);
      return end < 0 ? undefined : end + 1;
    }
    this.#lines ??= linesIn(this.#text);
    return this.#lines.get(path);
  }

  #hashAt(start: number): string | undefined {
    const end = start + SHA256_LENGTH;
    return this.#text[end] === '\n' ? this.#text.slice(start, end) : undefined;
  }

  /** The lines that were found are as many as follow each other; others may begin there. */
  #flush(start: number): void {
    const { start: from, end } = this.#found;
    if (from < end) this.#next.push(this.#text.slice(from, end));
    this.#found = { start, end: start };
  }
}

/** Whole lines, of which the first is the header. */
function readText(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    return text.startsWith(HEADER) ? text.slice(0, text.lastIndexOf('\n') + 1) : HEADER;
  } catch {
    return HEADER;
  }
}

function identity(stat: BigIntStats): string {
  return `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs} ${stat.ino} ${stat.mode}`;
}

/** Where the line of each path begins. */
function linesIn(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  for (let at = HEADER.length; at < text.length; at = text.indexOf('\n', at) + 1) {
    lines.set(text.slice(at, text.indexOf('\t', at)), at);
  }
  return lines;
}
