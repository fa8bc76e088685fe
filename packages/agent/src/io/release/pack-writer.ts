import { createHash, hash } from 'node:crypto';
import { appendFileSync, closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { CHUNKED_FROM, type ManifestFile } from '@silverlining/protocol';
import { blobKey } from './blob-keys.ts';
import { diskFullAs, wrongContent } from './disk-full.ts';
import { BLOCK } from './erofs.ts';
import { indexLine, PACK_DATA, PACK_INDEX, type Packed } from './pack.ts';
import type { EntrySink } from './tar-reader.ts';

/** Any content that is not large fits whole, so that it is hashed and written in one piece. */
const BUFFER = CHUNKED_FROM + BLOCK;

/** Writes contents one after the other to one file, each at a block, and checks each as it ends. */
export class PackWriter implements EntrySink {
  readonly contents: Map<string, Packed>;
  bytes = 0;
  readonly #folder: string;
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(BUFFER);
  /** Of the buffer's start in the file. */
  #position: number;
  #used = 0;
  #start = 0;
  #current: ManifestFile | undefined;
  /** The last that was begun: the one to name when the disk is full. */
  #last: ManifestFile | undefined;
  #isOpen = true;
  /** Lines of contents that are in the buffer. */
  #lines = '';

  private constructor(folder: string, how: { flags: 'wx' | 'r+'; position: number; contents: Map<string, Packed> }) {
    this.#folder = folder;
    this.#descriptor = openSync(`${folder}/${PACK_DATA}`, how.flags, 0o600);
    this.#position = how.position;
    this.contents = how.contents;
  }

  /** A new pack in a folder. Its first block stays free: an image has its superblock there. */
  static create(folder: string): PackWriter {
    return new PackWriter(folder, { flags: 'wx', position: BLOCK, contents: new Map() });
  }

  /** Goes on behind the end of one, at a block. */
  static append(folder: string, position: number): PackWriter {
    return new PackWriter(folder, { flags: 'r+', position, contents: new Map() });
  }

  /** Where the next content goes. */
  get position(): number {
    return this.#position + this.#used;
  }

  begin(file: ManifestFile): undefined {
    this.#last = file;
    if (this.#used + file.size > BUFFER) this.#flush();
    this.#current = file;
    this.#start = this.#used;
  }

  data(chunk: Buffer): undefined {
    this.#used += chunk.copy(this.#buffer, this.#used);
    this.bytes += chunk.length;
  }

  end(): undefined {
    const file = this.#current;
    if (file === undefined) throw new RangeError('an end came before its beginning');
    this.#current = undefined;
    const content = this.#buffer.subarray(this.#start, this.#used);
    if (hash('sha256', content, 'hex') !== file.sha256) {
      this.#used = this.#start;
      throw wrongContent(file);
    }
    this.#take(blobKey(file), { offset: this.#position + this.#start, size: content.length });
  }

  /** Copies a content from elsewhere. E_MANIFEST when it is not what it was. */
  async copy(file: ManifestFile, source: { path: string; offset: number }): Promise<Packed> {
    this.#last = file;
    const place = { offset: this.position, size: file.size };
    const sum = createHash('sha256');
    for await (const chunk of readPieces(source, file.size)) {
      sum.update(chunk);
      this.#write(chunk);
    }
    if (sum.digest('hex') !== file.sha256) throw wrongContent(file);
    return this.#take(blobKey(file), place);
  }

  /** What is no content of the store; returns its place. */
  append(content: Buffer): Packed {
    const place = { offset: this.position, size: content.length };
    this.#write(content);
    this.#align();
    return place;
  }

  /** Writes what is in hand and ends. What was being received is not in it. */
  finish(): void {
    if (this.#current !== undefined) this.#used = this.#start;
    this.#current = undefined;
    try {
      this.#flush();
    } finally {
      this.abandon();
    }
  }

  /** Ends without writing anything more. */
  abandon(): void {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }

  #take(key: string, place: Packed): Packed {
    this.contents.set(key, place);
    this.#lines += indexLine(key, place);
    this.#align();
    return place;
  }

  #write(content: Buffer): void {
    for (let done = 0; done < content.length; ) {
      if (this.#used === BUFFER) this.#flush();
      const copied = content.copy(this.#buffer, this.#used, done);
      this.#used += copied;
      done += copied;
    }
  }

  #align(): void {
    const end = Math.ceil(this.#used / BLOCK) * BLOCK;
    // What a mapped file shows behind its end is zeros.
    this.#buffer.fill(0, this.#used, end);
    this.#used = end;
  }

  #flush(): void {
    diskFullAs(this.#last, () => {
      for (let done = 0; done < this.#used; ) {
        done += writeSync(this.#descriptor, this.#buffer, done, this.#used - done, this.#position + done);
      }
      if (this.#lines !== '') appendFileSync(`${this.#folder}/${PACK_INDEX}`, this.#lines, { mode: 0o600 });
    });
    this.#position += this.#used;
    this.#used = 0;
    this.#lines = '';
  }
}

/** Nothing of an empty content: a stream cannot end before it starts. */
function readPieces(
  { path, offset }: { path: string; offset: number },
  size: number,
): AsyncIterable<Buffer> | Buffer[] {
  return size === 0 ? [] : createReadStream(path, { start: offset, end: offset + size - 1 });
}
