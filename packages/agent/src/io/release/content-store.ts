import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import type { ChunkList, Manifest, ManifestFile } from '@silverlining/protocol';
import { errno, type FileOwner, freeSpace, makeDirectoryDurable } from '@silverlining/system';
import { planAssembly } from '../../core/release/assembly.ts';
import type { ContentStore } from '../../release-ports.ts';
import { blobKey, blobPath } from './blob-keys.ts';
import type { ReceivedBlob } from './blob-writer.ts';
import { ChunkListStore } from './chunk-lists.ts';
import { createExclusive } from './exclusive.ts';
import { Leftovers } from './leftovers.ts';
import { type Reception, receive } from './reception.ts';
import { inSlices } from './slices.ts';

/** The store that also says when a content turned out not to be there. */
export interface DiskContentStore extends ContentStore {
  path(file: ManifestFile): string;
  forget(file: ManifestFile): void;
}

/** Opens the store in a folder: reads which contents it has, and what a crash left half received. */
export async function openContentStore(folder: string, owner: () => Promise<FileOwner>): Promise<DiskContentStore> {
  await makeDirectoryDurable(folder, 0o755);
  // Contents of config files are in it too: only releases give access, to whom they should.
  chmodSync(folder, 0o700);
  const disk = new StoreDisk(folder);
  return {
    has: (file) => disk.keys.has(blobKey(file)),
    path: (file) => disk.path(blobKey(file)),
    forget: (file) => disk.keys.delete(blobKey(file)),
    salvage: (files, signal) => disk.salvage(files, signal),
    plan: (contents, sources, signal) => disk.plan(contents, sources, signal),
    receive: async (input, files, signal) => disk.receive({ input, files, signal, owner: await owner() }),
    collect: (live) => disk.collect(live),
    space: () => freeSpace(folder),
    removeAll: async () => {
      disk.keys.clear();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What is in the folder, as this process knows it. */
class StoreDisk {
  readonly keys: Set<string>;
  readonly leftovers: Leftovers;
  readonly lists: ChunkListStore;
  /** What contents that are about to come consist of. */
  readonly #awaited = new Map<string, ChunkList>();
  readonly #folder: string;
  readonly #incoming: string;
  readonly #exclusive = createExclusive();
  /** Contents of receptions that were cut: no release needs them yet, the next try will. */
  readonly #spared = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
    this.#incoming = `${folder}/incoming`;
    this.leftovers = new Leftovers(`${folder}/leftovers`, this.#incoming);
    this.lists = new ChunkListStore(`${folder}/chunks`);
    this.keys = readKeys(folder);
  }

  path(key: string): string {
    return blobPath(this.#folder, key);
  }

  async plan(
    contents: Parameters<ContentStore['plan']>[0],
    sources: readonly ManifestFile[],
    signal: AbortSignal,
  ): ReturnType<ContentStore['plan']> {
    const known = this.lists.index(new Set(sources.map(blobKey).filter((key) => this.keys.has(key))));
    const plans = [];
    for (const { file, list } of contents) {
      this.#awaited.set(blobKey(file), list);
      plans.push(planAssembly({ list, known, verified: await this.leftovers.verified(file, list, signal) }));
    }
    return plans;
  }

  async receive(
    order: Pick<Reception, 'input' | 'files' | 'signal' | 'owner'>,
  ): Promise<{ files: number; bytes: number }> {
    const batch = `${this.#incoming}/${randomUUID()}`;
    await mkdir(batch, { recursive: true, mode: 0o700 });
    const { leftovers } = this;
    const locate = (key: string) => this.path(key);
    const admit: Reception['admit'] = (received, how) => this.admit(received, how);
    try {
      return await receive({ ...order, batch, leftovers, locate, admit });
    } finally {
      await rm(batch, { recursive: true, force: true });
    }
  }

  async admit(received: readonly ReceivedBlob[], how: 'all' | 'cut'): Promise<void> {
    await this.#exclusive('store', () => inSlices(received, (blob) => this.#place(blob)));
    if (how === 'all') this.#spared.clear();
    for (const { file } of received) {
      const key = blobKey(file);
      if (how === 'cut') this.#spared.add(key);
      const list = this.#awaited.get(key);
      if (list !== undefined) await this.lists.write(key, list);
      this.#awaited.delete(key);
    }
  }

  /** Bytes that are left of files that are not whole; whole ones are in the store afterwards. */
  async salvage(files: readonly ManifestFile[], signal: AbortSignal): Promise<number> {
    let bytes = 0;
    for (const file of files) {
      if (!this.leftovers.has(file) || this.keys.has(blobKey(file))) continue;
      const left = await this.leftovers.bytesOf(file, signal);
      if (left < file.size) bytes += left;
      else await this.admit([{ temporary: this.leftovers.take(blobKey(file)), file }], 'cut');
    }
    return bytes;
  }

  async collect(live: readonly Manifest[]): Promise<number> {
    const needed = new Set(live.flatMap((manifest) => manifest.files.map(blobKey)));
    return this.#exclusive('store', async () => {
      const dead = [...this.keys].filter((key) => !needed.has(key) && !this.#spared.has(key));
      // Out of the index first: an offer that comes in between asks for them again, and they are renamed in after this.
      for (const key of dead) this.keys.delete(key);
      await inSlices(dead, (key) => rmSync(this.path(key), { force: true }));
      this.lists.keep((key) => this.keys.has(key));
      this.leftovers.removeExpired(Date.now());
      return dead.length;
    });
  }

  #place({ temporary, file }: ReceivedBlob): void {
    const key = blobKey(file);
    renameInto(temporary, this.path(key), `${this.#folder}/${key.slice(0, 2)}`);
    this.keys.add(key);
    this.leftovers.remove(key);
  }
}

function renameInto(from: string, to: string, folder: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    renameSync(from, to);
  }
}

function readKeys(folder: string): Set<string> {
  const keys = new Set<string>();
  for (const prefix of readdirSync(folder)) {
    if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
    for (const rest of readdirSync(`${folder}/${prefix}`)) keys.add(prefix + rest);
  }
  return keys;
}
