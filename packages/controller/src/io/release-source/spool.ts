import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { constants, type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { addAbortSignal, Readable } from 'node:stream';

const READ_SIZE = 256 << 10;

/**
 * Bytes that are written once and read by many, each at its own pace, while they are still being written. They are
 * kept in a file without a name, so that nothing is left of them whatever happens to this process.
 */
export class Spool {
  readonly #file: FileHandle;
  readonly #events = new EventEmitter().setMaxListeners(0);
  #length = 0;
  #end: 'open' | 'whole' | { error: unknown } = 'open';

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(directory: string): Promise<Spool> {
    await mkdir(directory, { recursive: true });
    return new Spool(await openUnnamed(directory));
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
    this.#events.emit('more');
  }

  /** No more comes; with an error, readers get it instead of the end. */
  finish(error?: unknown): void {
    this.#end = error === undefined ? 'whole' : { error };
    this.#events.emit('more');
  }

  /** A reader from the first byte on. */
  read(signal: AbortSignal): Readable {
    const readable = Readable.from(this.#chunks(signal), { objectMode: false, highWaterMark: READ_SIZE });
    return addAbortSignal(signal, readable);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async *#chunks(signal: AbortSignal): AsyncGenerator<Buffer> {
    for (let position = 0; ; ) {
      if (position < this.#length) {
        const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(READ_SIZE), 0, READ_SIZE, position);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      } else if (this.#end === 'open') {
        await once(this.#events, 'more', { signal });
      } else {
        if (this.#end === 'whole') return;
        throw this.#end.error;
      }
    }
  }
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
