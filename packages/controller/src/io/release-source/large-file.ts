import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type ChunkList, chunkDigest } from '@silverlining/protocol';
import { cutPoint, LARGEST_CHUNK } from '../../core/release/chunker.ts';
import { chunkDigestOf } from './chunk-digest.ts';
import { READ_FILE, unreadable } from './file-content.ts';

const WINDOW = 1 << 20;

export interface LargeContent {
  sha256: string;
  bytes: number;
  chunks: ChunkList;
}

/**
 * Reads a file once, for its hash and for its chunks, and lets others run meanwhile. A link is not followed. `before` is what a content
 * consisted of that this one is probably much like: looking for cuts takes several times as long as recognising known chunks.
 */
export async function readLarge(absolute: string, signal: AbortSignal, before?: ChunkList): Promise<LargeContent> {
  const failed = (cause: unknown): never => {
    throw unreadable(absolute, cause);
  };
  const file = await open(absolute, READ_FILE).catch(failed);
  const window = Buffer.allocUnsafe(WINDOW + LARGEST_CHUNK);
  const whole = createHash('sha256');
  const chunks = new Chunks(before);
  let [held, bytes] = [0, 0];
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(window, held, window.length - held, null).catch(failed);
      whole.update(window.subarray(held, held + bytesRead));
      bytes += bytesRead;
      const end = held + bytesRead;
      const start = chunks.cut(window, end, bytesRead === 0);
      if (bytesRead === 0) return { sha256: whole.digest('hex'), bytes, chunks: chunks.list() };
      held = window.copy(window, 0, start, end);
    }
  } finally {
    await file.close();
  }
}

class Chunks {
  readonly #sizes: number[] = [];
  readonly #digests: string[] = [];
  readonly #known: KnownChunks;
  #position = 0;

  constructor(before: ChunkList | undefined) {
    this.#known = new KnownChunks(before ?? { sizes: [], digests: '' });
  }

  /** Takes the chunks that are whole for certain off the front; returns where the rest begins. */
  cut(window: Buffer, end: number, isLast: boolean): number {
    let start = 0;
    while (isLast ? start < end : end - start >= LARGEST_CHUNK) {
      const chunk = this.#known.at(this.#position, window.subarray(start, end)) ?? newChunk(window, start, end);
      this.#sizes.push(chunk.size);
      this.#digests.push(chunk.digest);
      this.#known.follow(this.#position, chunk);
      this.#position += chunk.size;
      start += chunk.size;
    }
    return start;
  }

  list(): ChunkList {
    return { sizes: this.#sizes, digests: this.#digests.join('') };
  }
}

interface Chunk {
  size: number;
  digest: string;
}

function newChunk(window: Buffer, start: number, end: number): Chunk {
  const next = cutPoint(window, start, end);
  return { size: next - start, digest: chunkDigestOf(window.subarray(start, next)) };
}

/** The chunks of an earlier content. A cut depends on nothing but the bytes from the one before it, so they are cut alike wherever they are. */
class KnownChunks {
  /** By the positions at which they began. */
  readonly #chunks = new Map<number, Chunk>();
  readonly #positions = new Map<string, number>();
  /** How far what follows has moved. */
  #moved = 0;

  constructor(list: ChunkList) {
    let position = 0;
    // The last one was cut by the end of the content.
    for (const [i, size] of list.sizes.slice(0, -1).entries()) {
      const digest = chunkDigest(list, i);
      this.#chunks.set(position, { size, digest });
      this.#positions.set(digest, position);
      position += size;
    }
  }

  /** The chunk that `bytes` begin with, when it is the one that was there before. */
  at(position: number, bytes: Buffer): Chunk | undefined {
    const chunk = this.#chunks.get(position - this.#moved);
    if (chunk === undefined || chunk.size > bytes.length) return undefined;
    return chunkDigestOf(bytes.subarray(0, chunk.size)) === chunk.digest ? chunk : undefined;
  }

  /** Hears of each chunk: one that was there before tells where those after it are. */
  follow(position: number, { digest }: Chunk): void {
    const before = this.#positions.get(digest);
    if (before !== undefined) this.#moved = position - before;
  }
}
