import {
  applyChanges,
  comparePaths,
  encodeBitmap,
  fileLine,
  isManifestText,
  linkLine,
  type Manifest,
  type ManifestChanges,
  type ManifestFile,
  manifestText,
  parseFileLine,
  parseManifestText,
  SlError,
} from '@silverlining/protocol';
import {
  type Edits,
  edited,
  editsOf,
  type Kind,
  type ListingText,
  NO_EDITS,
  pathIn,
  type Range,
  rangeIn,
  textInMemory,
} from './listing-text.ts';

/** Paths of which each is looked for by itself. */
const FEW = 256;

const NO_CHANGES: ManifestChanges = { files: [], links: [], removed: [] };

interface Move {
  path: string;
  by: number;
}

interface Origin {
  whole: Listing;
  changes: ManifestChanges;
  edits: Edits;
}

/**
 * A manifest as the text that its digest is of. Lines are found by halving, and changes stand beside the text that they are of, so that a
 * release of ten thousand files of which one changed is described, checked and built without an object for each of the others,
 * and without another copy of the text.
 */
export class Listing {
  /** Of the release that this one was described by the changes of, itself where it was described in full. */
  readonly whole: Listing;
  /** What leads from there to here, as `diffManifests` has it. */
  readonly changes: ManifestChanges;
  readonly #edits: Edits;
  /** That of `whole`. */
  readonly #source: ListingText;
  /** What this one's text is made of: ranges of the source, and lines in the place of others. */
  readonly #parts: readonly (Range | string)[];
  #text: string | undefined;
  #manifest: Manifest | undefined;
  #count: number | undefined;

  private constructor(source: ListingText, origin?: Origin) {
    this.#source = source;
    this.whole = origin?.whole ?? this;
    this.changes = origin?.changes ?? NO_CHANGES;
    this.#edits = origin?.edits ?? NO_EDITS;
    this.#parts = edited(source, this.#edits);
  }

  static of(manifest: Manifest, text = manifestText(manifest)): Listing {
    const listing = new Listing(textInMemory(text));
    listing.#manifest = manifest;
    return listing;
  }

  /** From text that was a listing's. E_MANIFEST when it is cut; other damage shows in its digest, or when it is read. */
  static read(source: ListingText): Listing {
    const { length } = source;
    if (length === 0 || !isManifestText(source.lineAt(0).line) || source.slice(length - 1, length) !== '\n') {
      throw new SlError('E_MANIFEST', 'the list of files of a release is cut');
    }
    return new Listing(source);
  }

  get text(): string {
    const textOf = (part: Range | string) =>
      typeof part === 'string' ? part : this.#source.slice(part.start, part.end);
    this.#text ??= this.#parts.map(textOf).join('');
    return this.#text;
  }

  /** The text as it is read from end to end, without a copy of it. What was yielded may be overwritten by the next. */
  *pieces(): Generator<string | Uint8Array> {
    for (const part of this.#parts) {
      if (typeof part === 'string') yield part;
      else yield* this.#source.pieces(part.start, part.end);
    }
  }

  get app(): string {
    const { line } = this.#source.lineAt(0);
    return line.slice(line.indexOf('\0') + 1, -1);
  }

  get fileCount(): number {
    const { whole } = this;
    this.#count ??= whole === this ? this.#filesBefore('l', '') : moved(whole.fileCount, this.#moves());
    return this.#count;
  }

  /** All of it. E_MANIFEST when the text is damaged. */
  manifest(): Manifest {
    this.#manifest ??=
      this.whole === this ? parseManifestText(this.text) : applyChanges(this.whole.manifest(), this.changes);
    return this.#manifest;
  }

  /** Whether `manifest` can say what it is. */
  get isReadable(): boolean {
    try {
      this.whole.manifest();
      return true;
    } catch {
      return false;
    }
  }

  find(path: string): ManifestFile | undefined {
    const line = this.#line('f', path);
    return line === '' ? undefined : parseFileLine(line.slice(0, -1));
  }

  has(path: string): boolean {
    return this.#line('f', path) !== '' || this.#line('l', path) !== '';
  }

  /** Whether anything is below the folder. */
  holds(folder: string): boolean {
    const within = `${folder}/`;
    const { text } = this;
    return (['f', 'l'] as const).some((kind) => {
      return text.startsWith(`${kind}\0${within}`, rangeIn(textInMemory(text), kind, within).start);
    });
  }

  /** Base64 bitmap over the files, of those with these paths. */
  bitmap(paths: ReadonlySet<string>): string {
    if (paths.size > FEW) {
      const lines = fileLinesOf(this.text);
      const all = lines.flatMap((line, i) => (paths.has(pathIn(line)) ? [i] : []));
      return encodeBitmap(lines.length, all);
    }
    const moves = this.#moves();
    const few = [...paths].filter((path) => this.#line('f', path) !== '');
    const places = few.map((path) => {
      const before = moves.filter((it) => it.path < path);
      return moved(this.#filesBefore('f', path), before);
    });
    return encodeBitmap(this.fileCount, places);
  }

  /** The listing that the changes make of this one. E_MANIFEST when they name a path twice. */
  with(changes: ManifestChanges): Listing {
    const { whole } = this;
    const { files, links, removed } = compose(this.changes, changes);
    const net: ManifestChanges = {
      files: files.filter((file) => whole.#line('f', file.path) !== fileLine(file)).sort(comparePaths),
      links: links.filter((link) => whole.#line('l', link.path) !== linkLine(link)).sort(comparePaths),
      removed: removed.filter((path) => whole.has(path)).sort(),
    };
    return new Listing(this.#source, { whole, changes: net, edits: editsOf(net) });
  }

  /** How many files of the whole stand before such a line. */
  #filesBefore(kind: Kind, path: string): number {
    // The head is the first line.
    return this.#source.linesBefore(rangeIn(this.#source, kind, path).start) - 1;
  }

  /** With its end; empty where there is none. */
  #line(kind: Kind, path: string): string {
    if (this.#edits.paths.has(path)) return this.#edits[kind].get(path) ?? '';
    const { start, end } = rangeIn(this.#source, kind, path);
    return this.#source.slice(start, end);
  }

  /** By how much the number of files differs from that of the whole, where it does. */
  #moves(): Move[] {
    const { paths, f } = this.#edits;
    const all = [...paths].map((path) => {
      return { path, by: Number(f.has(path)) - Number(this.whole.#line('f', path) !== '') };
    });
    return all.filter(({ by }) => by !== 0);
  }
}

function fileLinesOf(text: string): string[] {
  const lines = text.split('\n').slice(1, -1);
  const firstLink = lines.findIndex((line) => line.startsWith('l'));
  return firstLink < 0 ? lines : lines.slice(0, firstLink);
}

function moved(count: number, moves: readonly Move[]): number {
  return moves.reduce((sum, { by }) => sum + by, count);
}

/** Files that any of the releases is made of, and perhaps some of what they were described by: a text is read once. */
export function* contentsOf(listings: readonly Listing[]): Generator<ManifestFile> {
  for (const whole of new Set(listings.map((it) => it.whole))) yield* whole.manifest().files;
  for (const { changes } of listings) yield* changes.files;
}

/** One after the other. */
function compose(before: ManifestChanges, { files, links, removed }: ManifestChanges): ManifestChanges {
  const named = [...files.map((it) => it.path), ...links.map((it) => it.path), ...removed];
  const paths = new Set(named);
  if (paths.size < named.length) throw new SlError('E_MANIFEST', 'the changes of a release name a path twice');
  return {
    files: [...before.files.filter((it) => !paths.has(it.path)), ...files],
    links: [...before.links.filter((it) => !paths.has(it.path)), ...links],
    removed: [...before.removed.filter((path) => !paths.has(path)), ...removed],
  };
}
