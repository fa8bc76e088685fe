import { createHash } from 'node:crypto';
import { type FileOwner, type OpenFile, open } from '@silverlining/system';
import type { Assembly, Piece } from '../../core/release/assembly.ts';
import { WriteBack } from './write-back.ts';

/** Copied at once. */
const COPY = 512 << 10;

export interface AssembledBlobOptions {
  /** The file to write; it holds the assembly's prefix already when there is one. */
  path: string;
  mode: number;
  owner: FileOwner;
  assembly: Assembly;
  /** Path of a content of the store. */
  locate(key: string): string;
}

/** A content that is written from front to back: in part copied from others, in part as it comes. */
export class AssembledBlob {
  readonly #handle: OpenFile;
  readonly #writeBack: WriteBack;
  readonly #locate: AssembledBlobOptions['locate'];
  readonly #hash = createHash('sha256');
  readonly #pieces: Piece[];
  #position = 0;
  /** Bytes of the current piece that are still to come. */
  #awaited = 0;
  #buffer: Buffer | undefined;

  private constructor(handle: OpenFile, { assembly, locate }: AssembledBlobOptions) {
    this.#handle = handle;
    this.#writeBack = new WriteBack(handle.fd);
    this.#locate = locate;
    this.#pieces = [...assembly.pieces].reverse();
  }

  static async open(options: AssembledBlobOptions): Promise<AssembledBlob> {
    const { path, mode, owner, assembly } = options;
    const handle = await open(path, assembly.prefix > 0 ? 'r+' : 'wx+', 0o600);
    const blob = new AssembledBlob(handle, options);
    try {
      await handle.truncate(assembly.prefix);
      await handle.chown(owner.uid, owner.gid);
      await handle.chmod(mode);
      await blob.#absorb(assembly.prefix);
      await blob.#copyAhead();
      return blob;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that are written. */
  get length(): number {
    return this.#position;
  }

  /** Takes the next bytes that were sent, and copies what stands between them and the ones after. */
  async data(chunk: Buffer): Promise<void> {
    for (let taken = 0; taken < chunk.length; ) {
      const part = chunk.subarray(taken, taken + this.#awaited);
      if (part.length === 0) throw new RangeError('more was sent than the content lacks');
      taken += part.length;
      this.#awaited -= part.length;
      await this.#append(part);
      if (this.#awaited === 0) await this.#copyAhead();
    }
  }

  /** The SHA-256 of what was written. */
  async end(): Promise<string> {
    await this.close();
    return this.#hash.digest('hex');
  }

  async close(): Promise<void> {
    this.#buffer = undefined;
    try {
      await this.#writeBack.end();
    } finally {
      await this.#handle.close();
    }
  }

  /** Copies up to the next piece that is sent, or to the end. */
  async #copyAhead(): Promise<void> {
    for (let piece = this.#pieces.pop(); piece !== undefined; piece = this.#pieces.pop()) {
      if (piece.from === undefined) {
        this.#awaited = piece.bytes;
        return;
      }
      await this.#copy(this.#locate(piece.from.key), piece.from.offset, piece.bytes);
    }
  }

  async #copy(path: string, offset: number, bytes: number): Promise<void> {
    const source = await open(path, 'r');
    try {
      for (let copied = 0; copied < bytes; ) {
        const part = await this.#read(source, offset + copied, bytes - copied);
        await this.#append(part);
        copied += part.length;
      }
    } finally {
      await source.close();
    }
  }

  /** The start that is there counts for the hash as well. */
  async #absorb(prefix: number): Promise<void> {
    while (this.#position < prefix) {
      const part = await this.#read(this.#handle, this.#position, prefix - this.#position);
      this.#hash.update(part);
      this.#position += part.length;
    }
  }

  async #read(source: OpenFile, position: number, most: number): Promise<Buffer> {
    this.#buffer ??= Buffer.allocUnsafe(COPY);
    const { bytesRead } = await source.read(this.#buffer, 0, Math.min(COPY, most), position);
    if (bytesRead === 0) throw new RangeError('a content of the store is shorter than its list of chunks');
    return this.#buffer.subarray(0, bytesRead);
  }

  /** The hash is made while the part is written. */
  async #append(part: Buffer): Promise<void> {
    const written = this.#write(part);
    this.#hash.update(part);
    await written;
    this.#writeBack.wrote(part.length);
  }

  async #write(part: Buffer): Promise<void> {
    for (let done = 0; done < part.length; ) {
      const { bytesWritten } = await this.#handle.write(part, done, part.length - done, this.#position);
      done += bytesWritten;
      this.#position += bytesWritten;
    }
  }
}
