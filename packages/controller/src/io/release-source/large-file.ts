import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ChunkList } from '@silverlining/protocol';
import { cutPoint, LARGEST_CHUNK } from '../../core/release/chunker.ts';
import { chunkDigestOf } from './chunk-digest.ts';
import { unreadable } from './file-content.ts';

const WINDOW = 1 << 20;

export interface LargeContent {
  sha256: string;
  bytes: number;
  chunks: ChunkList;
}

/** Reads a file once, for its hash and for its chunks, and lets others run meanwhile. A link is not followed. */
export async function readLarge(absolute: string, signal: AbortSignal): Promise<LargeContent> {
  const file = await open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW).catch((cause: unknown) => {
    throw unreadable(absolute, cause);
  });
  const window = Buffer.allocUnsafe(WINDOW + LARGEST_CHUNK);
  const whole = createHash('sha256');
  const chunks = new Chunks();
  let [held, bytes] = [0, 0];
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(window, held, window.length - held, null);
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

  /** Takes the chunks that are whole for certain off the front; returns where the rest begins. */
  cut(window: Buffer, end: number, isLast: boolean): number {
    let start = 0;
    while (isLast ? start < end : end - start >= LARGEST_CHUNK) {
      const next = cutPoint(window, start, end);
      this.#sizes.push(next - start);
      this.#digests.push(chunkDigestOf(window.subarray(start, next)));
      start = next;
    }
    return start;
  }

  list(): ChunkList {
    return { sizes: this.#sizes, digests: this.#digests.join('') };
  }
}
