/** The text of a listing, whose lines are found without being taken apart. */
import { fileLine, linkLine, type ManifestChanges } from '@silverlining/protocol';

export type Kind = 'f' | 'l';
/** Of a line, its end included; both the same where it would stand. */
interface Range {
  start: number;
  end: number;
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

/** The text with the edits, in parts. */
export function edited(text: string, edits: Edits): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const kind of ['f', 'l'] as const) {
    for (const path of edits.paths) {
      const { start, end } = rangeIn(text, kind, path);
      parts.push(text.slice(at, start), edits[kind].get(path) ?? '');
      at = end;
    }
  }
  return [...parts, text.slice(at)];
}

/** Where the first line after the head begins. */
export function firstLine(text: string): number {
  return text.indexOf('\n') + 1;
}

/** Of a path's line in the text of a listing. */
export function rangeIn(text: string, kind: Kind, path: string): Range {
  let [low, high] = [firstLine(text), text.length];
  while (low < high) {
    const start = text.lastIndexOf('\n', ((low + high) >> 1) - 1) + 1;
    const end = text.indexOf('\n', start) + 1;
    const here = pathAt(text, start);
    if (text[start] === kind && here === path) return { start, end };
    // Files stand before links.
    const isBefore = text[start] === kind ? here < path : text[start] === 'f';
    if (isBefore) low = end;
    else high = start;
  }
  return { start: low, end: low };
}

/** Of the line that begins there. */
export function pathAt(text: string, start: number): string {
  return text.slice(start + 2, text.indexOf('\0', start + 2));
}

/** Index of the first line whose path is not before the given one. */
export function firstFrom(lines: readonly string[], path: string): number {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pathAt(lines[middle] ?? '', 0) < path) low = middle + 1;
    else high = middle;
  }
  return low;
}
