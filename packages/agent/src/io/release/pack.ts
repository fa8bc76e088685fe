import { hash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ManifestFile } from '@silverlining/protocol';
import { blobKey, type Packed, rm } from '@silverlining/system';
import { type Keys, PackIndex, readPlaces } from './pack-index.ts';

/** The file with the contents, in the folder of a pack. */
export const PACK_DATA = 'data';
/** Says where which content is: a line each, `KEY OFFSET SIZE`. */
export const PACK_INDEX = 'contents';

const NONE = () => new Map<string, Packed>();

/** Contents in one file, for the price of one file: a release of many is an image in which they stand. */
export class Pack {
  #folder: string;
  /** Undefined while it is an image: then its index says what is in it. */
  #contents: Map<string, Packed> | undefined;
  #index: PackIndex;
  /** What the index says and is not so. */
  readonly #forgotten = new Set<string>();
  /** What a process that ended wrote, and nobody has looked at since. */
  #doubtful: () => Map<string, Packed>;

  private constructor(folder: string, contents: Map<string, Packed> | undefined, doubtful: () => Map<string, Packed>) {
    this.#folder = folder;
    this.#contents = contents;
    this.#index = new PackIndex(indexOf(folder));
    this.#doubtful = doubtful;
  }

  /** Of contents that were checked as they came. */
  static received(folder: string, contents: Map<string, Packed>): Pack {
    return new Pack(folder, contents, NONE);
  }

  /** Of what stands in the folder, and may not be on disk. */
  static found(folder: string): Pack {
    const pack: Pack = new Pack(folder, new Map(), () => {
      const places = readPlaces(indexOf(pack.folder));
      pack.#doubtful = () => places;
      return places;
    });
    return pack;
  }

  /** That became an image, and is known to be on disk. */
  static image(folder: string): Pack {
    return new Pack(folder, undefined, NONE);
  }

  get folder(): string {
    return this.#folder;
  }

  get data(): string {
    return `${this.#folder}/${PACK_DATA}`;
  }

  get keys(): Iterable<string> {
    return this.#all().keys();
  }

  find(key: string): Packed | undefined {
    if (this.#contents !== undefined) return this.#contents.get(key);
    return this.#forgotten.has(key) ? undefined : this.#index.find(key);
  }

  /** Those of the keys that it has. */
  among(keys: Keys): string[] {
    const contents = this.#contents;
    if (contents !== undefined) return [...keys.keys()].filter((key) => contents.has(key));
    return this.#index.among(keys).filter((key) => !this.#forgotten.has(key));
  }

  add(key: string, place: Packed): void {
    this.#all().set(key, place);
    this.#forgotten.delete(key);
  }

  forget(key: string): void {
    this.#forgotten.add(key);
    this.#contents?.delete(key);
  }

  /** Nothing is added from here on, and what is in it need not be in memory. */
  rest(): void {
    for (const key of this.#doubtful().keys()) if (!this.#contents?.has(key)) this.#forgotten.add(key);
    this.trust();
    this.#index = new PackIndex(indexOf(this.#folder));
  }

  /** What its index says is so, and on disk. */
  trust(): void {
    this.#doubtful = NONE;
    this.#contents = undefined;
  }

  /** Takes out those that its index names, whatever that is worth. */
  strikeNamed(keys: Set<string>): void {
    this.#index.strike(keys);
  }

  #all(): Map<string, Packed> {
    if (this.#contents === undefined) {
      this.#contents = readPlaces(indexOf(this.#folder));
      for (const key of this.#forgotten) this.#contents.delete(key);
    }
    return this.#contents;
  }

  /** Looks whether what an interruption left of the content is it. */
  verify(file: ManifestFile): void {
    const key = blobKey(file);
    const place = this.#doubtful().get(key);
    if (place === undefined) return;
    this.#doubtful().delete(key);
    const content = place.size === file.size ? readPart(this.data, place) : undefined;
    if (content !== undefined && hash('sha256', content, 'hex') === file.sha256) this.add(key, place);
    else this.forget(key);
  }

  /** Its folder gets that path, whose parent is made. */
  moveTo(folder: string): void {
    mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
    renameSync(this.#folder, folder);
    this.#folder = folder;
    this.#index = new PackIndex(indexOf(folder));
  }

  /** Gives the file system the time that it takes for a large file, in another thread. */
  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}

/** Undefined when it is not there, or shorter, or the disk does not give it. */
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
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

function indexOf(folder: string): string {
  return `${folder}/${PACK_INDEX}`;
}
