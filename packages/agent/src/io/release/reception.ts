import type { Readable } from 'node:stream';
import { CHUNKED_FROM, SlError } from '@silverlining/protocol';
import { type FileOwner, freeSpace, syncPath } from '@silverlining/system';
import type { ReceivedFiles } from '../../content-ports.ts';
import { Admission } from '../../core/release/admission.ts';
import { worthPacking } from '../../core/release/layer.ts';
import { BlobWriter, type ReceivedBlob } from './blob-writer.ts';
import type { Leftovers } from './leftovers.ts';
import { Pack } from './pack.ts';
import { PackWriter } from './pack-writer.ts';
import { syncFileSystems } from './sync.ts';
import type { EntrySink } from './tar-reader.ts';
import { unpack } from './unpack.ts';

/** With more files than this, one sync of the file system is quicker than one of each file. */
const SYNC_EACH_LIMIT = 16;

export interface Reception {
  input: Readable;
  files: ReceivedFiles;
  signal: AbortSignal;
  /** A folder of its own. */
  batch: string;
  owner: FileOwner;
  leftovers: Leftovers;
  locate(key: string): string;
  /** Takes contents that are on disk into the store. */
  admit(received: readonly ReceivedBlob[], how: 'all' | 'cut'): Promise<void>;
  /** Takes the batch as a pack. It is not on disk yet: after a crash each content of it is looked at. */
  admitPack(pack: Pack, how: 'all' | 'cut'): void;
}

/** Takes in one archive. What came whole stays, whatever happens to the rest. */
export async function receive(reception: Reception): Promise<{ files: number; bytes: number }> {
  const { files, batch, owner, leftovers, locate } = reception;
  const assemblies = files.assemblies ?? new Map();
  const takeStart = (key: string, bytes: number, to: string) => leftovers.take(key, { bytes, to, whole: locate(key) });
  const writer = new BlobWriter({ folder: batch, owner, parts: { assemblies, locate, takeStart } });
  const pack = worthPacking(files.listing, files.missing) ? PackWriter.create(batch) : undefined;
  const sink = pack === undefined ? writer : bySize(pack, writer);
  const bodies = new Map([...assemblies].map(([path, { body }]) => [path, body]));
  try {
    const admission = new Admission(files.listing, files.missing, bodies);
    await unpack(reception.input, { admission, sink, plain: files.plain === true }, reception.signal);
    await pack?.finish();
  } catch (error) {
    if (isDiskFull(error)) {
      // It goes, so that there is room to report it.
      await pack?.abandon();
      await writer.dispose();
      leftovers.removeAll();
      throw await withSpace(error, { need: files.missing.reduce((sum, file) => sum + file.size, 0), batch });
    }
    await writer.dispose((key) => leftovers.add(key));
    await pack?.finish();
    await admitAll(reception, { writer, pack }, 'cut');
    throw error;
  }
  await admitAll(reception, { writer, pack }, 'all');
  const bytes = writer.bytes + (pack?.bytes ?? 0);
  return { files: writer.received.length + (pack?.contents.size ?? 0), bytes };
}

/** Large contents go where a part of them may come later, or be wanted for another. */
function bySize(small: PackWriter, large: BlobWriter): EntrySink {
  let current: EntrySink = large;
  return {
    begin: (file) => {
      current = file.size < CHUNKED_FROM ? small : large;
      return current.begin(file);
    },
    data: (chunk) => current.data(chunk),
    end: () => current.end(),
  };
}

async function admitAll(
  { batch, admit, admitPack }: Reception,
  { writer, pack }: { writer: BlobWriter; pack: PackWriter | undefined },
  how: 'all' | 'cut',
): Promise<void> {
  await syncReceived(writer.received, batch);
  await admit(writer.received, how);
  if (pack !== undefined) admitPack(Pack.received(batch, pack.contents), how);
}

/** Names in the store stand for contents that are on disk: synced first, renamed after. */
export async function syncReceived(received: readonly ReceivedBlob[], batch: string): Promise<void> {
  if (received.length > SYNC_EACH_LIMIT) return syncFileSystems(batch);
  for (const { temporary } of received) await syncPath(temporary);
}

export function isDiskFull(error: unknown): error is SlError {
  return error instanceof SlError && error.code === 'E_DISK_FULL';
}

/** The error with what is needed, in bytes, and what is free there. */
export async function withSpace(error: SlError, { need, batch }: { need: number; batch: string }): Promise<SlError> {
  const { bytes: free } = await freeSpace(batch);
  const text = `${error.message}; what was to come takes ${mebibytes(need)}, ${mebibytes(free)} are free`;
  return new SlError('E_DISK_FULL', text, { cause: error, details: { need: { bytes: need }, free: { bytes: free } } });
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / (1 << 20))} MiB`;
}
