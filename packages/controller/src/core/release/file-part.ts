import { type ChunkList, decodeBitmap } from '@silverlining/protocol';

/** Bytes of those chunks of a list that are set in a base64 bitmap. */
export function partBytes({ chunks, missing }: { chunks: ChunkList; missing: string }): number {
  const { sizes } = chunks;
  return decodeBitmap(missing, sizes.length).reduce((sum, index) => sum + (sizes[index] ?? 0), 0);
}
