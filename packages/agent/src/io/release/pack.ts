import { hash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ManifestFile } from '@silverlining/protocol';
import { blobKey, isBlobKey } from './blob-keys.ts';

/** The file with the contents, in the folder of a pack. */
export const PACK_DATA = 'data';
/** Says where which content is: a line each, `KEY OFFSET SIZE`. */
export const PACK_INDEX = 'contents';

/** A content in a file that holds many. */
export interface Packed {
  offset: number;
  size: number;
}

/** Contents in one file, for the price of one file: a release of many is an image in which they stand. */
export class Pack {
  #folder: string;
  readonly #contents: Map<string, Packed>;
  /** What a process that ended wrote, and nobody has looked at since. */
  readonly #doubtful: Map<string, Packed>;

  private constructor(folder: string, parts: { contents: Map<string, Packed>; doubtful: Map<string, Packed> }) {
    this.#folder = folder;
    this.#contents = parts.contents;
    this.#doubtful = parts.doubtful;
  }

  /** Of contents that were checked as they came. */
  static received(folder: string, contents: Map<string, Packed>): Pack {
    return new Pack(folder, { contents, doubtful: new Map() });
  }

  /** Of what stands in the folder; `trusted` when it is known to be on disk. */
  static found(folder: string, { trusted }: { trusted: boolean }): Pack {
    const [known, empty] = [readIndex(`${folder}/${PACK_INDEX}`), new Map<string, Packed>()];
    return new Pack(folder, trusted ? { contents: known, doubtful: empty } : { contents: empty, doubtful: known });
  }

  get folder(): string {
    return this.#folder;
  }

  get data(): string {
    return `${this.#folder}/${PACK_DATA}`;
  }

  get keys(): Iterable<string> {
    return this.#contents.keys();
  }

  find(key: string): Packed | undefined {
    return this.#contents.get(key);
  }

  add(key: string, place: Packed): void {
    this.#contents.set(key, place);
  }

  forget(key: string): void {
    this.#contents.delete(key);
  }

  /** Looks whether what an interruption left of the content is it. */
  verify(file: ManifestFile): void {
    const key = blobKey(file);
    const place = this.#doubtful.get(key);
    if (place === undefined) return;
    this.#doubtful.delete(key);
    if (place.size !== file.size) return;
    const content = readPart(this.data, place);
    if (content !== undefined && hash('sha256', content, 'hex') === file.sha256) this.#contents.set(key, place);
  }

  /** Its folder gets that path, whose parent is made. */
  moveTo(folder: string): void {
    mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
    renameSync(this.#folder, folder);
    this.#folder = folder;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Undefined when it is not there, or shorter. */
export function readPart(path: string, { offset, size }: Packed): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const content = Buffer.allocUnsafe(size);
    for (let done = 0; done < size; ) {
      const read = readSync(descriptor, content, done, size - done, offset + done);
      if (read === 0) return undefined;
      done += read;
    }
    return content;
  } finally {
    closeSync(descriptor);
  }
}

export function indexLine(key: string, { offset, size }: Packed): string {
  return `${key} ${offset} ${size}\n`;
}

function readIndex(path: string): Map<string, Packed> {
  let text = '';
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    // Cut off before the first line.
  }
  const known = new Map<string, Packed>();
  // The last line may be cut.
  for (const line of text.split('\n').slice(0, -1)) {
    const [key = '', offset = '', size = ''] = line.split(' ');
    const place = { offset: Number(offset), size: Number(size) };
    if (isBlobKey(key) && Number.isSafeInteger(place.offset) && Number.isSafeInteger(place.size)) known.set(key, place);
  }
  return known;
}
