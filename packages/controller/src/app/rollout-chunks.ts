/** Of large files only the chunks that a node lacks are sent. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import {
  CHUNKED_FROM,
  type ChunkList,
  type ChunkLists,
  decodeBitmap,
  type ManifestFile,
  SlError,
} from '@silverlining/protocol';
import type { FilePart, ScannedRelease } from '../ports.ts';
import { READS, withTransfer } from './bulk.ts';
import type { ControllerDeps } from './deps.ts';
import type { StageTarget } from './stage-target.ts';

const DEADLINE = 60_000;

const compress = promisify(zstdCompress);

/** The large files, and what they consist of. */
interface Large {
  files: readonly { file: ManifestFile; chunks: ChunkList }[];
  /** `chunkLists`, compressed. */
  bytes: Buffer;
}

/** By what nodes lack of a release: most of them lack the same. */
const known = new WeakMap<ScannedRelease, Map<string, Promise<Large>>>();

/** What the node lacks of the large files among those that are missing. None when its agent does not know of chunks. */
export async function missingParts(
  deps: ControllerDeps,
  { target, node, missing }: { target: StageTarget; node: string; missing: string },
  signal: AbortSignal,
): Promise<FilePart[]> {
  const { release, beside, instance } = target;
  const { files } = release.manifest;
  const large = decodeBitmap(missing, files.length).flatMap((index) => {
    const file = files[index];
    return file !== undefined && file.size >= CHUNKED_FROM ? [file] : [];
  });
  if (large.length === 0) return [];
  const lists = await listsOf(deps, { target, missing, large }, signal);
  // A node reads what an interrupted transfer has left.
  const bytes = large.reduce((sum, file) => sum + file.size, beside);
  const limits = { signal, deadline: DEADLINE + bytes / READS };
  try {
    const reply = await withTransfer(deps, node, limits, {
      request: (transfer) => deps.fleet.request(node, 'chunks', { instance, transfer }, limits),
      send: (socket) => pipeline(Readable.from([lists.bytes]), socket, { signal }),
    });
    return lists.files.flatMap((it, i) => {
      const bitmap = reply.missing[i];
      return bitmap === undefined ? [] : [{ ...it, missing: bitmap }];
    });
  } catch (error) {
    if (error instanceof SlError && error.code === 'E_UNKNOWN_TYPE') return [];
    throw error;
  }
}

function listsOf(
  deps: ControllerDeps,
  wanted: { target: StageTarget; missing: string; large: readonly ManifestFile[] },
  signal: AbortSignal,
): Promise<Large> {
  const { release } = wanted.target;
  const ofRelease = known.get(release) ?? new Map<string, Promise<Large>>();
  known.set(release, ofRelease);
  const lists = ofRelease.get(wanted.missing) ?? makeLists(deps, wanted, signal);
  ofRelease.set(wanted.missing, lists);
  return lists;
}

async function makeLists(
  deps: ControllerDeps,
  { target, large }: { target: StageTarget; large: readonly ManifestFile[] },
  signal: AbortSignal,
): Promise<Large> {
  const files = [];
  for (const file of large) files.push({ file, chunks: await deps.source.chunks(target.app, file, signal) });
  const lists: ChunkLists = { version: 1, files: files.map(({ file, chunks }) => ({ path: file.path, chunks })) };
  return { files, bytes: await compress(Buffer.from(JSON.stringify(lists))) };
}
