import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { type Packed, parseIndexLine } from '@silverlining/system';

/** Searches of the file after which its text had better be read, and searches of that after which a table of all lines is quicker. */
const SEARCHES = 16;
/** Bytes that are read at a time: less than what the C library maps anew each time. */
const READ = 16 << 10;
const NEWLINE = 0x0a;

/** Keys that somebody asks about; a map's will do. */
export type Keys = Pick<ReadonlySet<string>, 'has' | 'size' | 'keys'>;

interface Loaded {
  text: string;
  searches: number;
  lines: Map<string, number> | undefined;
}

/**
 * The index of a pack that does not change any more. It stays on disk, where a few contents are looked for, and in memory for as long as
 * that is not wanted for something else: between deploys nobody asks, and a table of ten thousand contents takes some 3 MB.
 */
export class PackIndex {
  readonly #path: string;
  #loaded: WeakRef<Loaded> | undefined;
  /** What was found in the file, or not, since it was read whole: one deploy asks several times. */
  readonly #known = new Map<string, Packed | undefined>();

  constructor(path: string) {
    this.#path = path;
  }

  find(key: string): Packed | undefined {
    if (this.#known.has(key)) return this.#known.get(key);
    if (this.#loaded?.deref() === undefined && this.#known.size < SEARCHES) return this.#note(key);
    const loaded = this.#load();
    if (loaded.searches++ === SEARCHES) loaded.lines = linesIn(loaded.text);
    if (loaded.lines === undefined) return search(loaded.text, key);
    const at = loaded.lines.get(key);
    return at === undefined ? undefined : placeOf(loaded.text, key, at);
  }

  /** Those of the keys that are in it. Of many, lines are gone through once: half the work of a question for each, and no table. */
  among(keys: Keys): string[] {
    if (keys.size <= SEARCHES) return [...keys.keys()].filter((key) => this.find(key) !== undefined);
    const { text } = this.#load();
    const whole = [...linesIn(text, keys)].filter(([key, at]) => placeOf(text, key, at) !== undefined);
    return whole.map(([key]) => key);
  }

  /** Takes out those that its lines name, damaged or not. */
  strike(keys: Set<string>): void {
    try {
      for (const lines of linesOf(this.#path)) {
        for (const key of linesIn(lines.toString('latin1'), keys).keys()) keys.delete(key);
      }
    } catch {
      // Cut off before the first line, or not to be read.
    }
  }

  #note(key: string): Packed | undefined {
    const place = searchFile(this.#path, key);
    this.#known.set(key, place);
    return place;
  }

  #load(): Loaded {
    const known = this.#loaded?.deref();
    if (known !== undefined) return known;
    const loaded = { text: readIndex(this.#path), searches: 0, lines: undefined };
    this.#loaded = new WeakRef(loaded);
    this.#known.clear();
    return loaded;
  }
}

/** All that an index says; what it says last of a content counts. */
export function readPlaces(path: string): Map<string, Packed> {
  const text = readIndex(path);
  const places = new Map<string, Packed>();
  for (const [key, at] of linesIn(text)) {
    const place = placeOf(text, key, at);
    if (place !== undefined) places.set(key, place);
  }
  return places;
}

/** Whole lines. */
function readIndex(path: string): string {
  try {
    const text = readFileSync(path, 'latin1');
    return text.slice(0, text.lastIndexOf('\n') + 1);
  } catch {
    // Cut off before the first line.
    return '';
  }
}

/** Where the last line of each key begins, or of each of `keys`. Lines are not looked into: of most, nobody asks. */
function linesIn(text: string, keys?: Keys): Map<string, number> {
  const lines = new Map<string, number>();
  for (let at = 0; at < text.length; at = text.indexOf('\n', at) + 1) {
    const key = text.slice(at, text.indexOf(' ', at));
    if (keys === undefined || keys.has(key)) lines.set(key, at);
  }
  return lines;
}

/** What the key's last line says, or one before it where that is damaged. */
function placeOf(text: string, key: string, last: number): Packed | undefined {
  return placeAt(text, last) ?? search(text, key);
}

function search(text: string, key: string): Packed | undefined {
  const wanted = `${key} `;
  let place: Packed | undefined;
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
    place = placeAt(text, at) ?? place;
  }
  return place;
}

/** The same where it stands, without the text in memory. */
function searchFile(path: string, key: string): Packed | undefined {
  const wanted = `${key} `;
  let place: Packed | undefined;
  try {
    for (const lines of linesOf(path)) {
      for (let at = lines.indexOf(wanted); at >= 0; at = lines.indexOf(wanted, at + key.length)) {
        place = parseIndexLine(lines.toString('latin1', at, lines.indexOf(NEWLINE, at))) ?? place;
      }
    }
  } catch {
    // Cut off before the first line, or not to be read.
  }
  return place;
}

/** Some whole lines at a time, in memory that the next ones take. */
function* linesOf(path: string): Generator<Buffer> {
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(READ);
    for (let at = 0; ; ) {
      const read = buffer.subarray(0, readSync(descriptor, buffer, 0, READ, at));
      const end = read.lastIndexOf(NEWLINE) + 1;
      if (end > 0) yield read.subarray(0, end);
      // No line is that long: damage is passed over.
      at += end > 0 ? end : read.length;
      if (read.length < READ) return;
    }
  } finally {
    closeSync(descriptor);
  }
}

function placeAt(text: string, at: number): Packed | undefined {
  return parseIndexLine(text.slice(at, text.indexOf('\n', at)));
}
