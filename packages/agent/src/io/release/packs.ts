import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { type Manifest, type ManifestFile, toSlError } from '@silverlining/protocol';
import { BLOCK, blobKey } from '@silverlining/system';
import type { ReceivedImage } from '../../content-ports.ts';
import { isMost } from '../../core/release/layer.ts';
import type { BlobWriter } from './blob-writer.ts';
import { lostContent } from './disk-full.ts';
import { isContent } from './file-hash.ts';
import { isExpired, keepIfPossible } from './leftovers.ts';
import { namesIn } from './names-in.ts';
import { PACK_DATA, PACK_INDEX, Pack, readPart } from './pack.ts';
import { inSlices } from './slices.ts';

/** The packs of a store: those that are images of releases, which stand with these, and others that wait to become one. */
export class Packs {
  readonly #folder: string;
  readonly #waiting = new Set<Pack>();
  /** Of those, the ones that become images at this moment: nobody else may write to them, or remove them. */
  readonly #claimed = new Set<Pack>();
  readonly #images = new Map<string, Pack>();
  readonly #received = new WeakMap<ReceivedImage, Pack>();
  /** Of receptions that were cut: no release needs them yet, the next try will. */
  readonly #spared = new Set<Pack>();

  /** `incoming` holds the folders of receptions: what a killed agent left in them is moved here. */
  constructor(folder: string, incoming: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const batch of namesIn(incoming))
      keepIfPossible(() => moveParts(`${incoming}/${batch}`, `${folder}/${batch}`));
    for (const name of readdirSync(folder)) this.#wait(Pack.found(`${folder}/${name}`), 'cut');
  }

  get #all(): Pack[] {
    return [...this.#images.values(), ...this.#waiting];
  }

  find(key: string): { path: string; offset: number } | undefined {
    return placeIn(this.#images.values(), key) ?? placeIn(this.#waiting, key);
  }

  /** Takes out what is in one of them, or may be. */
  strikeNamed(keys: Set<string>): void {
    for (const pack of this.#all) pack.strikeNamed(keys);
  }

  /** Takes out what is in one of them. */
  strike(wanted: Map<string, unknown>): void {
    for (const pack of this.#all) {
      for (const key of pack.among(wanted)) wanted.delete(key);
    }
  }

  /** Has the content written, if it is here. E_MANIFEST when it is not what it should be: then it is forgotten, and the next offer asks for it. */
  unpack(file: ManifestFile, writer: Pick<BlobWriter, 'put'>): void {
    const key = blobKey(file);
    const place = this.find(key);
    if (place === undefined) return;
    try {
      const { path, offset } = place;
      writer.put(file, readPart(path, { offset, size: file.size }) ?? Buffer.alloc(0));
    } catch (error) {
      if (toSlError(error).code !== 'E_MANIFEST') throw error;
      this.forget(key);
      throw lostContent(file, error);
    }
  }

  forget(key: string): void {
    for (const pack of this.#all) pack.forget(key);
  }

  /** Takes the folder of a reception as it is. */
  admit(pack: Pack, how: 'all' | 'cut'): void {
    pack.moveTo(this.#place());
    if (how === 'all') this.#spared.clear();
    this.#wait(pack, how);
  }

  /** Takes the folder of an image that came: until it is claimed, nothing that its index says is believed. */
  admitImage(folder: string, about: Pick<ReceivedImage, 'sha256' | 'written'> & { manifest: number }): ReceivedImage {
    const pack = Pack.found(folder);
    this.admit(pack, 'cut');
    const { manifest, ...written } = about;
    const text = () => readPart(pack.data, { offset: BLOCK, size: manifest })?.toString('utf8') ?? '';
    const image = { ...written, manifestText: text };
    this.#received.set(image, pack);
    return image;
  }

  /** The one that has the most of a release, if it is worth being an image of it: it is the caller's until `lend` or `release`. */
  claim(manifest: Manifest): Pack | undefined {
    const free = [...this.#waiting].filter((pack) => !this.#claimed.has(pack));
    const counts = free.map((pack) => {
      const count = manifest.files.filter((file) => pack.find(blobKey(file)) !== undefined).length;
      return { pack, count };
    });
    const best = counts.sort((a, b) => b.count - a.count)[0];
    if (best === undefined || !isMost(best.count, manifest.files.length)) return undefined;
    this.#claimed.add(best.pack);
    return best.pack;
  }

  /** One that came as an image, whose digest is right by now: it is the caller's as above. Undefined when it is gone. */
  claimImage(image: ReceivedImage): Pack | undefined {
    const pack = this.#received.get(image);
    if (pack === undefined || !this.#waiting.has(pack) || this.#claimed.has(pack)) return undefined;
    this.#received.delete(image);
    pack.trust();
    this.#claimed.add(pack);
    return pack;
  }

  /** It became no image, and waits again. */
  release(pack: Pack): void {
    this.#claimed.delete(pack);
  }

  /** It became an image, and stands in that folder from now on. */
  lend(pack: Pack, folder: string): void {
    pack.moveTo(folder);
    pack.rest();
    for (const set of [this.#waiting, this.#claimed, this.#spared]) set.delete(pack);
    this.#images.set(folder, pack);
  }

  /** The image of that folder was found at the start of this process. */
  open(folder: string): void {
    if (!this.#images.has(folder)) this.#images.set(folder, Pack.image(folder));
  }

  /** The folder is no release any more: what is in it can still be used, until `collect`. */
  takeBack(folder: string): void {
    const pack = this.#images.get(folder) ?? Pack.found(folder);
    this.#images.delete(folder);
    pack.moveTo(this.#place());
    this.#wait(pack, 'all');
  }

  /** Looks which of the files are in what an interruption left. */
  async verify(files: readonly ManifestFile[], signal: AbortSignal): Promise<void> {
    for (const pack of this.#waiting) await inSlices(files, (file) => pack.verify(file), signal);
  }

  /** Reads what there is of the file, and forgets what is something else. */
  async check(file: ManifestFile, signal: AbortSignal): Promise<void> {
    const key = blobKey(file);
    for (const pack of this.#all) {
      const part = pack.find(key);
      if (part !== undefined && !(await isContent(file, { path: pack.data, part }, signal))) pack.forget(key);
    }
  }

  /** Removes those of which nothing is needed that is not elsewhere too. */
  async collect(isNeeded: (key: string) => boolean, now: number): Promise<void> {
    const dead = this.#waitingInVain(isNeeded, now);
    // Out of the index first, and all at once: one that comes while they are removed is not looked at.
    for (const set of [this.#waiting, this.#spared]) for (const pack of dead) set.delete(pack);
    for (const pack of dead) await pack.remove();
  }

  #waitingInVain(isNeeded: (key: string) => boolean, now: number): Pack[] {
    const inImage = (key: string) => [...this.#images.values()].some((pack) => pack.find(key) !== undefined);
    return [...this.#waiting].filter((pack) => {
      const stat = statSync(pack.data, { throwIfNoEntry: false });
      const spared = this.#spared.has(pack) && stat !== undefined && !isExpired(stat.mtimeMs, now);
      if (spared || this.#claimed.has(pack)) return false;
      return ![...pack.keys].some((key) => isNeeded(key) && !inImage(key));
    });
  }

  clear(): void {
    for (const all of [this.#waiting, this.#claimed, this.#images, this.#spared]) all.clear();
  }

  #wait(pack: Pack, how: 'all' | 'cut'): void {
    this.#waiting.add(pack);
    if (how === 'cut') this.#spared.add(pack);
  }

  #place(): string {
    return `${this.#folder}/${randomUUID()}`;
  }
}

function placeIn(packs: Iterable<Pack>, key: string): { path: string; offset: number } | undefined {
  for (const pack of packs) {
    const place = pack.find(key);
    if (place !== undefined) return { path: pack.data, offset: place.offset };
  }
  return undefined;
}

/** Only what makes a pack: other files of a reception are not its own. */
function moveParts(from: string, to: string): void {
  for (const name of [PACK_DATA, PACK_INDEX]) {
    if (!existsSync(`${from}/${name}`)) return;
    mkdirSync(to, { recursive: true, mode: 0o700 });
    renameSync(`${from}/${name}`, `${to}/${name}`);
  }
}
