/** The text of a listing, whose lines are found without being taken apart. */
import { fileLine, linePieces, linkLine, type ManifestChanges } from '@silverlining/protocol';

export type Kind = 'f' | 'l';
/** Of lines, their ends included; both the same where one would stand. */
export interface Range {
  start: number;
  end: number;
}

/** What a listing is read from. Positions and lengths are its own: characters where it is in memory, bytes where it is a file. */
export interface ListingText {
  readonly length: number;
  /** The line that holds the position, with its end. */
  lineAt(position: number): Range & { line: string };
  slice(start: number, end: number): string;
  /** The same for who reads it from end to end. What was yielded may be overwritten by the next. */
  pieces(start: number, end: number): Iterable<string | Uint8Array>;
  /** How many lines end before the position, at which one begins. */
  linesBefore(position: number): number;
}

/** Characters, to the end of the line after them. */
const PIECE = 8 << 10;

export function textInMemory(text: string): ListingText {
  return {
    length: text.length,
    lineAt: (position) => {
      const start = position === 0 ? 0 : text.lastIndexOf('\n', position - 1) + 1;
      const end = text.indexOf('\n', start) + 1;
      return { start, end, line: text.slice(start, end) };
    },
    slice: (start, end) => text.slice(start, end),
    pieces: (start, end) => linePieces(text.slice(start, end), PIECE),
    // Split by V8's own code, which takes a tenth of the time of a loop that nobody has run for hours.
    linesBefore: (position) => text.slice(0, position).split('\n').length - 1,
  };
}

/** Lines that another listing has of the paths that were changed; of some it has none. */
export interface Edits {
  paths: ReadonlySet<string>;
  f: ReadonlyMap<string, string>;
  l: ReadonlyMap<string, string>;
}

export const NO_EDITS: Edits = { paths: new Set(), f: new Map(), l: new Map() };

export function editsOf({ files, links, removed }: ManifestChanges): Edits {
  return {
    paths: new Set([...removed, ...[...files, ...links].map((it) => it.path)].sort()),
    f: new Map(files.map((file) => [file.path, fileLine(file)])),
    l: new Map(links.map((link) => [link.path, linkLine(link)])),
  };
}

/** What the edited text consists of: parts of the one before, and lines in the place of others. */
export function edited(text: ListingText, edits: Edits): (Range | string)[] {
  const parts: (Range | string)[] = [];
  let at = 0;
  for (const kind of ['f', 'l'] as const) {
    for (const path of edits.paths) {
      const { start, end } = rangeIn(text, kind, path);
      parts.push({ start: at, end: start }, edits[kind].get(path) ?? '');
      at = end;
    }
  }
  return [...parts, { start: at, end: text.length }];
}

/** Of a path's line in the text of a listing. */
export function rangeIn(text: ListingText, kind: Kind, path: string): Range {
  // Behind the head.
  let [low, high] = [text.lineAt(0).end, text.length];
  while (low < high) {
    const { start, end, line } = text.lineAt((low + high) >> 1);
    const here = pathIn(line);
    if (line[0] === kind && here === path) return { start, end };
    // Files stand before links.
    const isBefore = line[0] === kind ? here < path : line[0] === 'f';
    if (isBefore) low = end;
    else high = start;
  }
  return { start: low, end: low };
}

/** Of a line of a file or link. */
export function pathIn(line: string): string {
  return line.slice(2, line.indexOf('\0', 2));
}
