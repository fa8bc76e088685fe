/** The text of a listing as it stands in a file, of which no more is read than is asked for. */
import { closeSync, openSync, readSync } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import type { ListingText } from '../../core/release/listing-text.ts';

/** Bytes that are read at once, and kept, of what is looked for: halving comes by the same places each time. */
const BLOCK = 4 << 10;
/** Bytes at once of what is read from end to end. */
const STRETCH = 64 << 10;
/** Lines from one mark to the next. */
const MARKED = 64;
const NEWLINE = 0x0a;

/** Where each 64th line of a text begins, once somebody counted: from there it is not far to any line. */
export interface LineMarks {
  starts?: Uint32Array;
}

/** Positions are bytes. What it reads throws E_MANIFEST where the file is gone, or shorter than `length`. */
export class ListingFile implements ListingText {
  readonly length: number;
  readonly #path: string;
  readonly #marks: LineMarks;
  readonly #blocks = new Map<number, Buffer>();

  constructor(path: string, { length, marks = {} }: { length: number; marks?: LineMarks }) {
    this.#path = path;
    this.length = length;
    this.#marks = marks;
  }

  lineAt(position: number) {
    const start = this.#lastNewline(position) + 1;
    const end = this.#nextNewline(position) + 1;
    return { start, end, line: this.slice(start, end) };
  }

  slice(start: number, end: number): string {
    if (end - start > BLOCK) return this.#bytes(start, end).toString('utf8');
    const first = this.#block(start);
    const from = start % BLOCK;
    if (from + end - start <= first.length) return first.toString('utf8', from, from + end - start);
    // No character is in two lines, but one may be in two blocks.
    const rest = this.#block(end).subarray(0, end % BLOCK);
    return Buffer.concat([first.subarray(from), rest]).toString('utf8');
  }

  *pieces(start: number, end: number): Generator<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(STRETCH, end - start));
    for (let at = start; at < end; at += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
      this.#read(piece, at);
      yield piece;
    }
  }

  linesBefore(position: number): number {
    this.#marks.starts ??= this.#countAll();
    const { starts } = this.#marks;
    const before = starts.findLastIndex((start) => start <= position);
    return before * MARKED + newlinesIn(this.#bytes(starts[before] ?? 0, position)).length;
  }

  #countAll(): Uint32Array {
    const starts = [0];
    let [at, lines] = [0, 0];
    for (const piece of this.pieces(0, this.length)) {
      for (const newline of newlinesIn(piece)) {
        lines++;
        if (lines % MARKED === 0) starts.push(at + newline + 1);
      }
      at += piece.length;
    }
    return Uint32Array.from(starts);
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

function newlinesIn(bytes: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) found.push(at);
  return found;
}
