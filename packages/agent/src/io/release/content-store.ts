import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { mkdir, rm, statfs } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Manifest, type ManifestFile, SlError } from '@silverlining/protocol';
import { errno, type FileOwner, makeDirectoryDurable } from '@silverlining/system';
import { Admission } from '../../core/release/admission.ts';
import type { ContentStore, ReceivedFiles } from '../../release-ports.ts';
import { BlobWriter, type ReceivedBlob } from './blob-writer.ts';
import { createExclusive } from './exclusive.ts';
import { inSlices } from './slices.ts';
import { syncFileSystems } from './sync.ts';
import { unpack } from './unpack.ts';

/** With more files than this, one sync of the file system is quicker than one of each file. */
const SYNC_EACH_LIMIT = 16;

/** Key of a content: executables have an inode, so a key, of their own. */
export function blobKey(file: Pick<ManifestFile, 'sha256' | 'mode'>): string {
  return file.mode === 0o755 ? `${file.sha256}.x` : file.sha256;
}

/** Where a content is, below the store. */
export function blobPath(store: string, key: string): string {
  return `${store}/${key.slice(0, 2)}/${key.slice(2)}`;
}

/** The store that also says when a content turned out not to be there. */
export interface DiskContentStore extends ContentStore {
  path(file: ManifestFile): string;
  forget(file: ManifestFile): void;
}

/** Opens the store in a folder: reads which contents it has, and removes what a crash left half received. */
export async function openContentStore(folder: string, owner: () => Promise<FileOwner>): Promise<DiskContentStore> {
  const incoming = `${folder}/incoming`;
  await makeDirectoryDurable(folder, 0o755);
  // Contents of config files are in it too: only releases give access, to whom they should.
  chmodSync(folder, 0o700);
  await rm(incoming, { recursive: true, force: true });
  const keys = readKeys(folder);
  const exclusive = createExclusive();

  return {
    has: (file) => keys.has(blobKey(file)),
    path: (file) => blobPath(folder, blobKey(file)),
    forget: (file) => keys.delete(blobKey(file)),
    receive: async (input, files, signal) => {
      const batch = `${incoming}/${randomUUID()}`;
      await mkdir(batch, { recursive: true, mode: 0o700 });
      try {
        return await receive({ input, files, signal, batch, owner: await owner(), admit });
      } finally {
        await rm(batch, { recursive: true, force: true });
      }
    },
    collect: (live) => exclusive('store', () => collect(folder, keys, live)),
    space: () => space(folder),
    removeAll: async () => {
      keys.clear();
      await rm(folder, { recursive: true, force: true });
    },
  };

  function admit(received: readonly ReceivedBlob[]): Promise<void> {
    return exclusive('store', () =>
      inSlices(received, ({ temporary, file }) => {
        const key = blobKey(file);
        renameInto(temporary, blobPath(folder, key), `${folder}/${key.slice(0, 2)}`);
        keys.add(key);
      }),
    );
  }
}

interface Reception {
  input: Readable;
  files: ReceivedFiles;
  signal: AbortSignal;
  batch: string;
  owner: FileOwner;
  admit(received: readonly ReceivedBlob[]): Promise<void>;
}

async function receive(reception: Reception): Promise<{ files: number; bytes: number }> {
  const { input, files, signal, batch, owner, admit } = reception;
  const syncEach = files.missing.length <= SYNC_EACH_LIMIT;
  const writer = new BlobWriter(batch, owner, syncEach);
  const keep = async () => {
    // Names in the store stand for contents that are on disk: synced first, renamed after.
    if (!syncEach && writer.received.length > 0) await syncFileSystems(batch);
    await admit(writer.received);
  };
  try {
    await unpack(input, new Admission(files.listed, files.missing), writer, signal);
  } catch (error) {
    writer.dispose();
    // What came whole need not come again; on a full disk it goes, so that there is room to report it.
    if (!isDiskFull(error)) await keep();
    throw error;
  }
  await keep();
  return { files: writer.received.length, bytes: writer.bytes };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof SlError && error.code === 'E_DISK_FULL';
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

async function collect(folder: string, keys: Set<string>, live: readonly Manifest[]): Promise<number> {
  const needed = new Set(live.flatMap((manifest) => manifest.files.map(blobKey)));
  const dead = [...keys].filter((key) => !needed.has(key));
  // Out of the index first: an offer that comes in between asks for them again, and they are renamed in after this.
  for (const key of dead) keys.delete(key);
  await inSlices(dead, (key) => rmSync(blobPath(folder, key), { force: true }));
  return dead.length;
}

async function space(folder: string): Promise<{ bytes: number; inodes: number | undefined }> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  return { bytes: bavail * bsize, inodes: files === 0 ? undefined : ffree };
}
