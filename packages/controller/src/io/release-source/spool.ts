import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { constants, type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { BULK_FRAME } from '@silverlining/protocol';
import { createSweep } from '@silverlining/system';
import { unusable } from '../directories.ts';

/**
 * Bytes of the first frame of a sink, and of all where it takes them slowly. An agent hears of whole frames alone: it gives a sender up
 * that it hears nothing of for a minute, and of a frame that is cut it has nothing.
 */
const SMALL_FRAME = 64 << 10;
/** Milliseconds: whoever takes a frame in less is given larger ones, which cost both ends less. */
const QUICK = 1_000;
/** Pieces that are kept for readers that come to them a little later. */
const RECENT = (8 << 20) / BULK_FRAME;

interface Piece {
  memory: Buffer;
  content: Promise<Buffer>;
  /** Sinks that it is on its way to. */
  users: number;
  /** Whether others may still ask for it. */
  isRecent: boolean;
}

/**
 * Bytes that are written once and read by many, each at its own pace, while they are still being written. They are
 * kept in a file without a name, so that nothing is left of them whatever happens to this process.
 */
export class Spool {
  readonly #file: FileHandle;
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #sweep = createSweep();
  /** The pieces that were read last, by their positions: nodes that take the same archive are mostly close to each other. */
  readonly #recent = new Map<number, Piece>();
  /** Memory of pieces that nobody needs any more. New memory for each would have V8 collect garbage again and again. */
  readonly #spare: Buffer[] = [];
  #readers = 0;
  #length = 0;
  #end: 'open' | 'whole' | { error: unknown } = 'open';

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(directory: string): Promise<Spool> {
    try {
      await mkdir(directory, { recursive: true });
      return new Spool(await openUnnamed(directory));
    } catch (cause) {
      throw unusable(directory, 'XDG_CACHE_HOME', cause);
    }
  }

  get length(): number {
    return this.#length;
  }

  async write(chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#length);
      done += bytesWritten;
      this.#length += bytesWritten;
    }
    this.#sweep(chunk.length);
    this.#events.emit('more');
  }

  /** No more comes; with an error, readers get it instead of the end. */
  finish(error?: unknown): void {
    this.#end = error === undefined ? 'whole' : { error };
    this.#events.emit('more');
  }

  /**
   * Brings everything from the first byte on to the sink, as fast as that takes it, and ends it. `took` is told of the
   * bytes that the sink took.
   */
  async send(sink: Writable, signal: AbortSignal, took: (bytes: number) => void): Promise<void> {
    const ended = finished(sink, { readable: false, signal });
    this.#readers++;
    try {
      // A sink that is destroyed need not answer the write that it has in hand.
      await Promise.race([this.#feed(sink, signal, took), ended]);
      sink.end();
      await ended;
    } catch (error) {
      sink.destroy();
      throw error;
    } finally {
      this.#readers--;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #feed(sink: Writable, signal: AbortSignal, took: (bytes: number) => void): Promise<void> {
    let frame = SMALL_FRAME;
    for (let position = 0; ; ) {
      const isWhole = position + BULK_FRAME <= this.#length;
      if (isWhole || (this.#end !== 'open' && position < this.#length)) {
        const piece = this.#piece(position);
        // One that is never done with, as its sink was destroyed, is not used again.
        piece.users++;
        const content = await piece.content;
        for (let at = 0; at < content.length; ) {
          const part = content.subarray(at, at + frame);
          const began = performance.now();
          await writeTo(sink, part);
          at += part.length;
          took(part.length);
          frame = nextFrame(frame, performance.now() - began);
        }
        position += content.length;
        piece.users--;
        this.#reuse(piece);
      } else if (this.#end === 'open') {
        await once(this.#events, 'more', { signal });
      } else {
        if (this.#end === 'whole') return;
        throw this.#end.error;
      }
    }
  }

  /** Several sinks are given the same bytes: nobody may write to them. */
  #piece(position: number): Piece {
    const known = this.#recent.get(position);
    if (known !== undefined) return known;
    const memory = this.#spare.pop() ?? Buffer.allocUnsafeSlow(BULK_FRAME);
    const piece = { memory, content: this.#read(position, memory), users: 0, isRecent: true };
    this.#recent.set(position, piece);
    const most = this.#readers > 1 ? RECENT : 1;
    if (this.#recent.size > most) this.#forgetOldest();
    return piece;
  }

  #forgetOldest(): void {
    for (const [position, piece] of this.#recent) {
      this.#recent.delete(position);
      piece.isRecent = false;
      this.#reuse(piece);
      return;
    }
  }

  #reuse({ memory, users, isRecent }: Piece): void {
    if (users === 0 && !isRecent) this.#spare.push(memory);
  }

  async #read(position: number, memory: Buffer): Promise<Buffer> {
    const size = Math.min(BULK_FRAME, this.#length - position);
    const { bytesRead } = await this.#file.read(memory, 0, size, position);
    return memory.subarray(0, bytesRead);
  }
}

/** Bytes of it, after one that was taken in so many milliseconds. */
function nextFrame(bytes: number, ms: number): number {
  return ms < QUICK ? Math.min(bytes * 2, BULK_FRAME) : Math.max(bytes / 2, SMALL_FRAME);
}

/** Resolves when the stream has taken the chunk, and wants more. */
export function writeTo(sink: Writable, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** Linux's own flag, which Node has no name for; O_DIRECTORY, a part of it, differs between processors. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** Where the file system has no files without a name, one that has a name for a moment. */
async function openUnnamed(directory: string): Promise<FileHandle> {
  try {
    return await open(directory, O_TMPFILE | constants.O_RDWR, 0o600);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && UNSUPPORTED.has(String(error.code)))) throw error;
  }
  const path = `${directory}/${randomUUID()}`;
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  return file;
}

const UNSUPPORTED = new Set(['EOPNOTSUPP', 'EISDIR', 'EINVAL']);
