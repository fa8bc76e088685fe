import {
  applyChanges,
  comparePaths,
  encodeBitmap,
  fileLine,
  isManifestText,
  linePieces,
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
  firstFrom,
  firstLine,
  type Kind,
  NO_EDITS,
  pathAt,
  rangeIn,
} from './listing-text.ts';

/** Paths of which each is looked for by itself. */
const FEW = 256;
/** Characters, to the end of the line after them. */
const PIECE = 8 << 10;

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
  /** What the text is made of, whole lines each. */
  readonly #parts: readonly string[];
  #text: string | undefined;
  #manifest: Manifest | undefined;
  #count: number | undefined;

  private constructor(parts: readonly string[], origin?: Origin) {
    this.#parts = parts;
    this.whole = origin?.whole ?? this;
    this.changes = origin?.changes ?? NO_CHANGES;
    this.#edits = origin?.edits ?? NO_EDITS;
  }

  static of(manifest: Manifest, text = manifestText(manifest)): Listing {
    const listing = new Listing([text]);
    listing.#manifest = manifest;
    return listing;
  }

  /** From text that was a listing's. E_MANIFEST when it is cut; other damage shows in its digest, or when it is read. */
  static read(text: string): Listing {
    if (!isManifestText(text) || !text.endsWith('\n')) {
      throw new SlError('E_MANIFEST', 'the list of files of a release is cut');
    }
    return new Listing([text]);
  }

  get text(): string {
    this.#text ??= this.#parts.join('');
    return this.#text;
  }

  /** The text, without a copy of it. */
  *pieces(): Generator<string> {
    for (const part of this.#parts) yield* linePieces(part, PIECE);
  }

  get app(): string {
    const { text } = this.whole;
    return text.slice(text.indexOf('\0') + 1, text.indexOf('\n'));
  }

  get fileCount(): number {
    const { whole } = this;
    this.#count ??= whole === this ? this.#fileLines().length : moved(whole.fileCount, this.#moves());
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
    return (['f', 'l'] as const).some((kind) => {
      return this.text.startsWith(`${kind}\0${within}`, rangeIn(this.text, kind, within).start);
    });
  }

  /** Base64 bitmap over the files, of those with these paths. */
  bitmap(paths: ReadonlySet<string>): string {
    if (paths.size > FEW) {
      const lines = this.#fileLines();
      const all = lines.flatMap((line, i) => (paths.has(pathAt(line, 0)) ? [i] : []));
      return encodeBitmap(lines.length, all);
    }
    const lines = this.whole.#fileLines();
    const moves = this.#moves();
    const few = [...paths].filter((path) => this.#line('f', path) !== '');
    const places = few.map((path) => {
      const before = moves.filter((it) => it.path < path);
      return moved(firstFrom(lines, path), before);
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
    const edits = editsOf(net);
    return new Listing(edited(whole.text, edits), { whole, changes: net, edits });
  }

  /** Split by V8's own code, which takes a tenth of the time of a loop that nobody has run for hours. */
  #fileLines(): string[] {
    const { text } = this;
    return text
      .slice(firstLine(text), rangeIn(text, 'l', '').start)
      .split('\n')
      .slice(0, -1);
  }

  /** With its end; empty where there is none. */
  #line(kind: Kind, path: string): string {
    if (this.#edits.paths.has(path)) return this.#edits[kind].get(path) ?? '';
    const { text } = this.whole;
    const { start, end } = rangeIn(text, kind, path);
    return text.slice(start, end);
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
