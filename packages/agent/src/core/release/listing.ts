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

type Kind = 'f' | 'l';
/** Of a line, its end included; both the same where it would stand. */
interface Range {
  start: number;
  end: number;
}

/** Paths of which each is looked for by itself. */
const FEW = 256;

const NO_CHANGES: ManifestChanges = { files: [], links: [], removed: [] };

/**
 * A manifest as the text that its digest is of. Lines are found by halving and changed in place, so that a release of ten thousand
 * files of which one changed is described, checked and built without an object for each of the others.
 */
export class Listing {
  readonly text: string;
  /** Of the release that this one was described by the changes of, itself where it was described in full. */
  readonly whole: Listing;
  /** What leads from there to here, as `diffManifests` has it. */
  readonly changes: ManifestChanges;
  #manifest: Manifest | undefined;
  #count: number | undefined;

  private constructor(text: string, origin?: Pick<Listing, 'whole' | 'changes'>) {
    this.text = text;
    this.whole = origin?.whole ?? this;
    this.changes = origin?.changes ?? NO_CHANGES;
  }

  static of(manifest: Manifest, text = manifestText(manifest)): Listing {
    const listing = new Listing(text);
    listing.#manifest = manifest;
    return listing;
  }

  /** From text that was a listing's. E_MANIFEST when it is cut; other damage shows in its digest, or when it is read. */
  static read(text: string): Listing {
    if (!isManifestText(text) || !text.endsWith('\n')) {
      throw new SlError('E_MANIFEST', 'the list of files of a release is cut');
    }
    return new Listing(text);
  }

  get app(): string {
    return this.text.slice(this.text.indexOf('\0') + 1, this.#first - 1);
  }

  get fileCount(): number {
    this.#count ??= this.#fileLines().length;
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
      return this.text.startsWith(`${kind}\0${within}`, this.#range(kind, within).start);
    });
  }

  /** Base64 bitmap over the files, of those with these paths. */
  bitmap(paths: ReadonlySet<string>): string {
    const lines = this.#fileLines();
    if (paths.size > FEW) {
      const all = lines.flatMap((line, i) => (paths.has(pathAt(line, 0)) ? [i] : []));
      return encodeBitmap(lines.length, all);
    }
    const few = [...paths].map((path) => firstFrom(lines, path)).filter((i) => paths.has(pathAt(lines[i] ?? '', 0)));
    return encodeBitmap(lines.length, few);
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
    return new Listing(whole.#edited(net), { whole, changes: net });
  }

  #edited({ files, links, removed }: ManifestChanges): string {
    const paths = [...new Set([...removed, ...[...files, ...links].map((it) => it.path)])].sort();
    const lines = {
      f: new Map(files.map((file) => [file.path, fileLine(file)])),
      l: new Map(links.map((link) => [link.path, linkLine(link)])),
    };
    const parts: string[] = [];
    let at = 0;
    for (const kind of ['f', 'l'] as const) {
      for (const path of paths) {
        const { start, end } = this.#range(kind, path);
        parts.push(this.text.slice(at, start), lines[kind].get(path) ?? '');
        at = end;
      }
    }
    return [...parts, this.text.slice(at)].join('');
  }

  /** Where the first line after the head begins. */
  get #first(): number {
    return this.text.indexOf('\n') + 1;
  }

  /** Split by V8's own code, which takes a tenth of the time of a loop that nobody has run for hours. */
  #fileLines(): string[] {
    return this.text.slice(this.#first, this.#range('l', '').start).split('\n').slice(0, -1);
  }

  /** With its end; empty where there is none. */
  #line(kind: Kind, path: string): string {
    const { start, end } = this.#range(kind, path);
    return this.text.slice(start, end);
  }

  #range(kind: Kind, path: string): Range {
    const { text } = this;
    let [low, high] = [this.#first, text.length];
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
}

/** Files that any of the releases is made of, and perhaps some of what they were described by: a text is read once. */
export function* contentsOf(listings: readonly Listing[]): Generator<ManifestFile> {
  for (const whole of new Set(listings.map((it) => it.whole))) yield* whole.manifest().files;
  for (const { changes } of listings) yield* changes.files;
}

/** Of the line that begins there. */
function pathAt(text: string, start: number): string {
  return text.slice(start + 2, text.indexOf('\0', start + 2));
}

/** Index of the first line whose path is not before the given one. */
function firstFrom(lines: readonly string[], path: string): number {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pathAt(lines[middle] ?? '', 0) < path) low = middle + 1;
    else high = middle;
  }
  return low;
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
