/** The text of a listing as it stands in a file, of which no more is read than is asked for. */
import { isAscii } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import { type ListingText, textInMemory } from '../../core/release/listing-text.ts';

/** Bytes that are read at once, and kept, of what is looked for: halving comes by the same places each time. */
const BLOCK = 4 << 10;
/** Bytes at once of what is read from end to end. */
const STRETCH = 64 << 10;
/** Lines after which all of it is read: to find some hundred paths takes a quarter of the time then. */
const MANY = 1_000;
const NEWLINE = 0x0a;

/** How many lines end before each stretch of a text, once somebody counted. */
export interface LineCounts {
  before?: Uint32Array;
}

type Reading = Pick<ListingText, 'lineAt' | 'slice'> & { pieces(start: number, end: number): Iterable<Buffer> };

/** Positions are bytes. What it reads throws E_MANIFEST where the file is gone, or shorter than `length`. */
export class ListingFile implements ListingText {
  readonly length: number;
  readonly #path: string;
  readonly #counts: LineCounts;
  readonly #blocks = new Map<number, Buffer>();
  #lines = 0;
  #loaded: Reading | undefined;

  constructor(path: string, { length, counts = {} }: { length: number; counts?: LineCounts }) {
    this.#path = path;
    this.length = length;
    this.#counts = counts;
  }

  lineAt(position: number): ReturnType<ListingText['lineAt']> {
    if (this.#lines++ === MANY) this.#loaded = bytesInMemory(this.#bytes(0, this.length));
    if (this.#loaded !== undefined) return this.#loaded.lineAt(position);
    const start = this.#lastNewline(position) + 1;
    const end = this.#nextNewline(position) + 1;
    return { start, end, line: this.slice(start, end) };
  }

  slice(start: number, end: number): string {
    if (this.#loaded !== undefined) return this.#loaded.slice(start, end);
    if (end - start > BLOCK) return this.#bytes(start, end).toString('utf8');
    const first = this.#block(start);
    const from = start % BLOCK;
    if (from + end - start <= first.length) return first.toString('utf8', from, from + end - start);
    // No character is in two lines, but one may be in two blocks.
    const rest = this.#block(end).subarray(0, end % BLOCK);
    return Buffer.concat([first.subarray(from), rest]).toString('utf8');
  }

  *pieces(start: number, end: number): Generator<Buffer> {
    if (this.#loaded !== undefined) return yield* this.#loaded.pieces(start, end);
    const buffer = Buffer.allocUnsafe(Math.min(STRETCH, end - start));
    for (let at = start; at < end; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
      this.#read(piece, at);
      yield piece;
    }
  }

  linesBefore(position: number): number {
    this.#counts.before ??= this.#count();
    const stretch = Math.floor(position / STRETCH);
    return (this.#counts.before[stretch] ?? 0) + newlinesIn(this.#bytes(stretch * STRETCH, position));
  }

  #count(): Uint32Array {
    const before = new Uint32Array(Math.ceil(this.length / STRETCH) + 1);
    for (let stretch = 0; stretch * STRETCH < this.length; stretch++) {
      const start = stretch * STRETCH;
      const bytes = this.#bytes(start, Math.min(start + STRETCH, this.length));
      before[stretch + 1] = (before[stretch] ?? 0) + newlinesIn(bytes);
    }
    return before;
  }

  /** Of the one before the position; -1 where there is none. */
  #lastNewline(position: number): number {
    for (let end = position; end > 0; ) {
      const start = Math.floor((end - 1) / BLOCK) * BLOCK;
      const found = this.#block(start)
        .subarray(0, end - start)
        .lastIndexOf(NEWLINE);
      if (found >= 0) return start + found;
      end = start;
    }
    return -1;
  }

  /** Of the one at the position or behind it; the last position where there is none. */
  #nextNewline(position: number): number {
    for (let at = position; at < this.length; ) {
      const start = Math.floor(at / BLOCK) * BLOCK;
      const found = this.#block(start).indexOf(NEWLINE, at - start);
      if (found >= 0) return start + found;
      at = start + BLOCK;
    }
    return this.length - 1;
  }

  /** The one that holds the position. */
  #block(position: number): Buffer {
    const start = Math.floor(position / BLOCK) * BLOCK;
    const known = this.#blocks.get(start);
    if (known !== undefined) return known;
    const block = this.#bytes(start, Math.min(start + BLOCK, this.length));
    this.#blocks.set(start, block);
    return block;
  }

  #bytes(start: number, end: number): Buffer {
    const buffer = Buffer.allocUnsafe(end - start);
    this.#read(buffer, start);
    return buffer;
  }

  #read(buffer: Buffer, position: number): void {
    let read: number;
    try {
      const descriptor = openSync(this.#path, 'r');
      try {
        read = readSync(descriptor, buffer, 0, buffer.length, position);
      } finally {
        closeSync(descriptor);
      }
    } catch (cause) {
      throw new SlError('E_MANIFEST', `the list of files ${this.#path} cannot be read`, { cause });
    }
    if (read < buffer.length) throw new SlError('E_MANIFEST', `the list of files ${this.#path} was cut`);
  }
}

/** Read with a character for each byte, in which positions are the same. */
function bytesInMemory(bytes: Buffer): Reading {
  const lines = textInMemory(bytes.toString('latin1'));
  const pieces = (start: number, end: number) => [bytes.subarray(start, end)];
  if (isAscii(bytes)) return { ...lines, pieces };
  const slice = (start: number, end: number) => bytes.toString('utf8', start, end);
  const lineAt = (position: number) => {
    const { start, end } = lines.lineAt(position);
    return { start, end, line: slice(start, end) };
  };
  return { slice, lineAt, pieces };
}

function newlinesIn(bytes: Buffer): number {
  return textInMemory(bytes.toString('latin1')).linesBefore(bytes.length);
}
