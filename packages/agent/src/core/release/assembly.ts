/** How a large content is put together from what the node has and what is sent. */
import { type ChunkList, chunkDigest } from '@silverlining/protocol';

/** A range of a content that is on the node. */
export interface Range {
  /** Key of the content in the store. */
  key: string;
  offset: number;
}
export interface Piece {
  bytes: number;
  /** Where it is copied from; undefined for one that is sent. */
  from: Range | undefined;
}
export interface Assembly {
  /** What the content consists of. */
  list: ChunkList;
  /** Bytes at the start that an earlier try has left, and that are verified. */
  prefix: number;
  /** What follows, in order. */
  pieces: Piece[];
  /** Bytes that are sent. */
  body: number;
}

/** Where chunks are, by their digest. */
export type ChunkIndex = ReadonlyMap<string, Range & { bytes: number }>;

export interface AssemblyInput {
  list: ChunkList;
  /** Chunks at the start that an earlier try has left. */
  verified: number;
  known: ChunkIndex;
}

/** Plans a content; `missing` are the indices of the chunks that have to be sent, ascending. */
export function planAssembly({ list, verified, known }: AssemblyInput): { assembly: Assembly; missing: Set<number> } {
  const assembly: Assembly = { list, prefix: 0, pieces: [], body: 0 };
  const missing = new Set<number>();
  list.sizes.forEach((bytes, index) => {
    if (index < verified) {
      assembly.prefix += bytes;
      return;
    }
    const place = known.get(chunkDigest(list, index));
    const from = place?.bytes === bytes ? { key: place.key, offset: place.offset } : undefined;
    append(assembly.pieces, { bytes, from });
    if (from !== undefined) return;
    missing.add(index);
    assembly.body += bytes;
  });
  return { assembly, missing };
}

/** Adds a list to an index; of equal chunks the first one stands. */
export function indexChunks(index: Map<string, Range & { bytes: number }>, key: string, list: ChunkList): void {
  let offset = 0;
  list.sizes.forEach((bytes, at) => {
    const digest = chunkDigest(list, at);
    if (!index.has(digest)) index.set(digest, { key, offset, bytes });
    offset += bytes;
  });
}

/** Neighbours become one piece. */
function append(pieces: Piece[], { bytes, from }: Piece): void {
  const last = pieces.at(-1);
  if (last !== undefined && joins(last, from)) last.bytes += bytes;
  else pieces.push({ bytes, from });
}

function joins(last: Piece, from: Range | undefined): boolean {
  if (last.from === undefined || from === undefined) return last.from === from;
  return last.from.key === from.key && last.from.offset + last.bytes === from.offset;
}
