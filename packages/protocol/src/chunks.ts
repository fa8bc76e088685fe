/** Large files are compared chunk by chunk, so that of a file that changed a little, little is sent. */
import * as z from 'zod/mini';
import { releasePath } from './release.ts';

/** Bytes from which on a file is looked at in chunks. */
export const CHUNKED_FROM = 4 << 20;
/** Hex digits of a chunk's digest: the first half of its SHA-256. The whole file is verified by its own. */
export const CHUNK_DIGEST = 32;
/** Bytes of the largest chunk that either end may cut. */
export const MAX_CHUNK = 1 << 20;

/** The chunks of one content, in order. */
export const chunkList = z
  .object({
    /** Bytes of each. Looked at in one go: a schema for each of ten thousand numbers takes tens of milliseconds on every node. */
    sizes: z.custom<number[]>((it) => Array.isArray(it) && it.every(isSize), 'not the sizes of chunks'),
    /** Their digests, one behind the other. */
    digests: z.string().check(z.regex(/^[0-9a-f]*$/)),
  })
  .check(
    z.refine(({ sizes, digests }) => digests.length === sizes.length * CHUNK_DIGEST, 'not one digest for each chunk'),
  );
export type ChunkList = z.infer<typeof chunkList>;

function isSize(it: unknown): boolean {
  return Number.isInteger(it) && Number(it) > 0 && Number(it) <= MAX_CHUNK;
}

/** What files of a release consist of. */
export const chunkLists = z.object({
  version: z.literal(1),
  files: z.array(z.object({ path: releasePath, chunks: chunkList })),
});
export type ChunkLists = z.infer<typeof chunkLists>;

/** The digest of chunk `index`. */
export function chunkDigest({ digests }: ChunkList, index: number): string {
  return digests.slice(index * CHUNK_DIGEST, (index + 1) * CHUNK_DIGEST);
}
