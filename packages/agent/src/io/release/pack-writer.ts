import { createHash, type Hash, hash } from 'node:crypto';
import { appendFileSync, openSync } from 'node:fs';
import type { ManifestFile } from '@silverlining/protocol';
import { BLOCK, blobKey, indexLine, type Packed, readPieces } from '@silverlining/system';
import { diskFullAs, wrongContent } from './disk-full.ts';
import { PACK_DATA, PACK_INDEX } from './pack.ts';
import type { EntrySink } from './tar-reader.ts';
import { writeAll } from './write-all.ts';
import { WriteBack } from './write-back.ts';

/** Small enough to stay in a processor's cache, between where contents come from and the file. */
const BUFFER = 256 << 10;
/** Characters of the index that are written at once: those of some two hundred contents. */
const INDEX = 16 << 10;

/** Writes contents one after the other to one file, each at a block, and checks each as it ends. */
export class PackWriter implements EntrySink {
  readonly contents: Map<string, Packed>;
  bytes = 0;
  readonly #folder: string;
  readonly #descriptor: number;
  readonly #writeBack: WriteBack;
  readonly #buffer = Buffer.alloc(BUFFER);
  /** Of the buffer's start in the file. */
  #position: number;
  #used = 0;
  /** Of the current content in the file. */
  #start = 0;
  #current: ManifestFile | undefined;
  /** Of a content that does not fit the buffer; all others are hashed in one piece. */
  #sum: Hash | undefined;
  /** The last that was begun: the one to name when the disk is full. */
  #last: ManifestFile | undefined;
  #isOpen = true;
  #finished: Promise<void> | undefined;
  /** Lines of the index that are still to be written. */
  #lines = '';

  private constructor(folder: string, how: { flags: 'wx' | 'r+'; position: number; contents: Map<string, Packed> }) {
    this.#folder = folder;
    this.#descriptor = openSync(`${folder}/${PACK_DATA}`, how.flags, 0o600);
    this.#writeBack = new WriteBack(this.#descriptor);
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
    this.#sum = file.size > BUFFER ? createHash('sha256') : undefined;
    this.#start = this.position;
  }

  data(chunk: Buffer): undefined {
    this.#sum?.update(chunk);
    this.#write(chunk);
    this.bytes += chunk.length;
  }

  end(): undefined {
    const file = this.#current;
    if (file === undefined) throw new RangeError('an end came before its beginning');
    const place = { offset: this.#start, size: this.position - this.#start };
    if (this.#digest() !== file.sha256) {
      this.#drop();
      throw wrongContent(file);
    }
    this.#current = undefined;
    this.#take(blobKey(file), place);
  }

  /** Copies a content from elsewhere. E_MANIFEST when it is not what it was. */
  async copy(file: ManifestFile, source: { path: string; offset: number }): Promise<Packed> {
    this.#last = file;
    const place = { offset: this.position, size: file.size };
    const sum = createHash('sha256');
    for await (const chunk of readPieces(source.path, { offset: source.offset, size: file.size })) {
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

  /** Writes what is in hand and ends. What was being received is not in it. Whoever asks again after a failure hears of it again. */
  finish(): Promise<void> {
    this.#finished ??= this.#finish();
    return this.#finished;
  }

  async #finish(): Promise<void> {
    this.#drop();
    try {
      this.#flush();
      this.#flushIndex();
    } finally {
      await this.#close();
    }
  }

  /** Ends without writing anything more. */
  async abandon(): Promise<void> {
    // What the disk did not take is of no interest any more.
    await this.#close().catch(() => undefined);
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#writeBack.close(this.#last);
  }

  #digest(): string {
    return (
      this.#sum?.digest('hex') ?? hash('sha256', this.#buffer.subarray(this.#start - this.#position, this.#used), 'hex')
    );
  }

  /** What there is of the current content is not in the pack: the next one is written over it. */
  #drop(): void {
    if (this.#current === undefined) return;
    this.#current = undefined;
    this.#position = Math.min(this.#position, this.#start);
    this.#used = this.#start - this.#position;
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
    const content = this.#buffer.subarray(0, this.#used);
    diskFullAs(this.#last, () => writeAll(this.#descriptor, content, this.#position));
    this.#writeBack.wrote(this.#used);
    this.#position += this.#used;
    this.#used = 0;
    if (this.#lines.length >= INDEX) this.#flushIndex();
  }

  /** Of contents that are in the file: after a crash, what it says is looked for there. */
  #flushIndex(): void {
    diskFullAs(this.#last, () => appendFileSync(`${this.#folder}/${PACK_INDEX}`, this.#lines, { mode: 0o600 }));
    this.#lines = '';
  }
}
