import { randomUUID } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { ChunkList, ManifestFile } from '@silverlining/protocol';
import { blobKey, blobPath, type FileOwner, freeSpace, makeDirectoryDurable, mkdir, rm } from '@silverlining/system';
import type { ContentStore, ImageForm, ReceivedImage } from '../../content-ports.ts';
import { planAssembly } from '../../core/release/assembly.ts';
import { BlobWriter, type ReceivedBlob } from './blob-writer.ts';
import { ChunkListStore } from './chunk-lists.ts';
import { readKeys, renameInto } from './content-files.ts';
import { createExclusive } from './exclusive.ts';
import { isContent } from './file-hash.ts';
import { receiveImage } from './image-reception.ts';
import { Leftovers } from './leftovers.ts';
import { Pack } from './pack.ts';
import { Packs } from './packs.ts';
import { type Reception, receive, syncReceived } from './reception.ts';
import { removeContent } from './remove-content.ts';
import { inSlices } from './slices.ts';

/** The store that also says when a content turned out not to be there. */
export interface DiskContentStore extends ContentStore {
  /** Where a content is: a file, or a part of one. The path of a content that is not here leads nowhere. */
  locate(file: ManifestFile): { path: string; offset?: number };
  forget(file: ManifestFile): void;
  /** Makes files of their own of those that are parts, for links to them. */
  unpack(files: readonly ManifestFile[]): Promise<void>;
  readonly packs: Pick<Packs, 'claim' | 'claimImage' | 'release' | 'lend' | 'open' | 'takeBack'>;
}

/** Opens the store in a folder: reads which contents it has, and what a crash left half received. */
export async function openContentStore(folder: string, owner: () => Promise<FileOwner>): Promise<DiskContentStore> {
  await makeDirectoryDurable(folder, 0o755);
  // Contents of config files are in it too: only releases give access, to whom they should.
  chmodSync(folder, 0o700);
  const disk = new StoreDisk(folder);
  return {
    packs: disk.packs,
    lacking: (files) => disk.lacking(files),
    locate: (file) => disk.locate(blobKey(file)),
    forget: (file) => disk.forget(blobKey(file)),
    unpack: async (files) => disk.unpack(files, await owner()),
    salvage: (files, signal) => disk.salvage(files, signal),
    verify: (files, signal) => disk.verify(files, signal),
    plan: (contents, sources, signal) => disk.plan(contents, sources, signal),
    receive: async (input, files, signal) => disk.receive({ input, files, signal, owner: await owner() }),
    mayHave: (keys) => disk.mayHave(keys),
    receiveImage: (input, form, signal) => disk.receiveImage(input, form, signal),
    collect: (needed, room) => disk.collect(new Set([...needed].map(blobKey)), room),
    space: () => freeSpace(folder),
    removeAll: async () => {
      disk.keys.clear();
      disk.packs.clear();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What is in the folder, as this process knows it. */
class StoreDisk {
  /** Of contents that are files of their own. */
  readonly keys: Set<string>;
  readonly packs: Packs;
  readonly leftovers: Leftovers;
  readonly lists: ChunkListStore;
  readonly #folder: string;
  readonly #incoming: string;
  readonly #exclusive = createExclusive();
  /** Contents of receptions that were cut: no release needs them yet, the next try will. */
  readonly #spared = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
    this.#incoming = `${folder}/incoming`;
    this.packs = new Packs(`${folder}/packs`, this.#incoming);
    this.leftovers = new Leftovers(`${folder}/leftovers`, this.#incoming);
    this.lists = new ChunkListStore(`${folder}/chunks`);
    this.keys = readKeys(folder);
  }

  path(key: string): string {
    return blobPath(this.#folder, key);
  }

  lacking(files: readonly ManifestFile[]): ManifestFile[] {
    const lacking = new Map<string, ManifestFile>();
    for (const file of files) {
      const key = blobKey(file);
      if (!this.keys.has(key) && !lacking.has(key)) lacking.set(key, file);
    }
    this.packs.strike(lacking);
    return [...lacking.values()];
  }

  locate(key: string): { path: string; offset?: number } {
    const packed = this.keys.has(key) ? undefined : this.packs.find(key);
    return packed ?? { path: this.path(key) };
  }

  forget(key: string): void {
    this.keys.delete(key);
    this.packs.forget(key);
  }

  async plan(
    contents: Parameters<ContentStore['plan']>[0],
    sources: readonly ManifestFile[],
    signal: AbortSignal,
  ): ReturnType<ContentStore['plan']> {
    const known = this.lists.index(new Set(sources.map(blobKey).filter((key) => this.keys.has(key))));
    const plans = [];
    for (const { file, list } of contents) {
      plans.push(planAssembly({ list, known, verified: await this.leftovers.verified(file, list, signal) }));
    }
    return plans;
  }

  async receive(
    order: Pick<Reception, 'input' | 'files' | 'signal' | 'owner'>,
  ): Promise<{ files: number; bytes: number }> {
    const { leftovers } = this;
    const locate = (key: string) => this.path(key);
    const listOf = ({ path }: ManifestFile) => order.files.assemblies?.get(path)?.list;
    const admit: Reception['admit'] = (received, how) => this.admit(received, how, listOf);
    const admitPack: Reception['admitPack'] = (pack, how) => this.packs.admit(pack, how);
    return this.#batch((batch) => receive({ ...order, batch, leftovers, locate, admit, admitPack }));
  }

  mayHave(keys: readonly string[]): number {
    const asked = new Set(keys);
    const lacking = new Set([...asked].filter((key) => !this.keys.has(key) && !this.leftovers.hasKey(key)));
    this.packs.strikeNamed(lacking);
    return asked.size - lacking.size;
  }

  receiveImage(input: Readable, form: ImageForm, signal: AbortSignal): Promise<ReceivedImage> {
    const { leftovers, packs } = this;
    return this.#batch(async (batch) => {
      const admitPart = () => packs.admit(Pack.found(batch), 'cut');
      const written = await receiveImage({ input, form, signal, batch, leftovers, admitPart });
      return packs.admitImage(batch, { ...written, manifest: form.manifest });
    });
  }

  async unpack(files: readonly ManifestFile[], owner: FileOwner): Promise<void> {
    const parts = new Map(files.filter((file) => !this.keys.has(blobKey(file))).map((file) => [blobKey(file), file]));
    if (![...parts.keys()].some((key) => this.packs.find(key) !== undefined)) return;
    await this.#batch(async (batch) => {
      const writer = new BlobWriter({ folder: batch, owner });
      try {
        await inSlices(parts.values(), (file) => this.packs.unpack(file, writer));
      } finally {
        await writer.dispose();
      }
      await syncReceived(writer.received, batch);
      await this.admit(writer.received, 'cut');
    });
  }

  /** `listOf` says what a content consists of, where that is known. */
  async admit(
    received: readonly ReceivedBlob[],
    how: 'all' | 'cut',
    listOf: (file: ManifestFile) => ChunkList | undefined = () => undefined,
  ): Promise<void> {
    await this.#exclusive('store', () => inSlices(received, (blob) => this.#place(blob)));
    if (how === 'all') this.#spared.clear();
    for (const { file } of received) {
      const key = blobKey(file);
      if (how === 'cut') this.#spared.add(key);
      const list = listOf(file);
      if (list !== undefined) await this.lists.write(key, list);
    }
  }

  /** Bytes that are left of files that are not whole; whole ones are in the store afterwards. */
  async salvage(files: readonly ManifestFile[], signal: AbortSignal): Promise<number> {
    let bytes = 0;
    const whole: ReceivedBlob[] = [];
    await this.packs.verify(files, signal);
    try {
      for (const file of this.lacking(files.filter((it) => this.leftovers.has(it)))) {
        const left = await this.leftovers.bytesOf(file, signal);
        if (left < file.size) bytes += left;
        else whole.push({ temporary: this.leftovers.path(blobKey(file)), file });
      }
    } finally {
      // Also where it is given up: what was found whole need not be read again.
      if (whole.length > 0) await this.#keep(whole);
    }
    return bytes;
  }

  /** On disk before they have their names. Offers of several apps may come at once, and what is left may be of each of them. */
  async #keep(whole: readonly ReceivedBlob[]): Promise<void> {
    await this.#exclusive('salvage', async () => {
      const rest = whole.filter(({ file }) => !this.keys.has(blobKey(file)));
      await syncReceived(rest, this.#folder);
      await this.admit(rest, 'cut');
    });
  }

  async verify(files: readonly ManifestFile[], signal: AbortSignal): Promise<void> {
    await this.#exclusive('store', async () => {
      for (const file of files) {
        const key = blobKey(file);
        await this.packs.check(file, signal);
        if (!this.keys.has(key) || (await isContent(file, { path: this.path(key) }, signal))) continue;
        this.keys.delete(key);
        await removeContent(this.path(key));
      }
    });
  }

  async collect(needed: ReadonlySet<string>, room?: 'short'): Promise<number> {
    const now = room === undefined ? Date.now() : Number.POSITIVE_INFINITY;
    return this.#exclusive('store', async () => {
      if (room === 'short') this.#spared.clear();
      const dead = [...this.keys].filter((key) => !needed.has(key) && !this.#spared.has(key));
      // Out of the index first: an offer that comes in between asks for them again, and they are renamed in after this.
      for (const key of dead) this.keys.delete(key);
      await inSlices(dead, (key) => removeContent(this.path(key)));
      this.lists.keep((key) => this.keys.has(key));
      this.leftovers.removeExpired(now, needed);
      await this.packs.collect((key) => needed.has(key) && !this.keys.has(key), now);
      return dead.length;
    });
  }

  /** With a folder of its own; what is still there in the end is removed. */
  async #batch<T>(act: (batch: string) => Promise<T>): Promise<T> {
    const batch = `${this.#incoming}/${randomUUID()}`;
    await mkdir(batch, { recursive: true, mode: 0o700 });
    try {
      return await act(batch);
    } finally {
      await rm(batch, { recursive: true, force: true });
    }
  }

  #place({ temporary, file }: ReceivedBlob): void {
    const key = blobKey(file);
    // Another release brought the same meanwhile, and links to that one.
    if (this.keys.has(key)) rmSync(temporary, { force: true });
    else renameInto(temporary, this.path(key), `${this.#folder}/${key.slice(0, 2)}`);
    this.keys.add(key);
    this.leftovers.remove(key);
  }
}
