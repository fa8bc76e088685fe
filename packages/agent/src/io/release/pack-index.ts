import { readFileSync } from 'node:fs';
import { isBlobKey } from './blob-keys.ts';

/** A content in a file that holds many. */
export interface Packed {
  offset: number;
  size: number;
}

/** Searches after which a table of all lines is quicker. */
const SEARCHES = 64;

interface Loaded {
  text: string;
  searches: number;
  places: Map<string, Packed> | undefined;
}

/**
 * The index of a pack that does not change any more. It stays on disk, and in memory for as long as that is not wanted for
 * something else: between deploys nobody asks, and a table of ten thousand contents takes some 3 MB.
 */
export class PackIndex {
  readonly #path: string;
  #loaded: WeakRef<Loaded> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  find(key: string): Packed | undefined {
    const loaded = this.#load();
    if (loaded.searches++ === SEARCHES) loaded.places = placesIn(loaded.text);
    return loaded.places === undefined ? search(loaded.text, key) : loaded.places.get(key);
  }

  #load(): Loaded {
    const known = this.#loaded?.deref();
    if (known !== undefined) return known;
    const loaded = { text: readIndex(this.#path), searches: 0, places: undefined };
    this.#loaded = new WeakRef(loaded);
    return loaded;
  }
}

export function indexLine(key: string, { offset, size }: Packed): string {
  return `${key} ${offset} ${size}\n`;
}

/** All that an index says; what it says last of a content counts. */
export function readPlaces(path: string): Map<string, Packed> {
  return placesIn(readIndex(path));
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

function placesIn(text: string): Map<string, Packed> {
  const known = new Map<string, Packed>();
  for (const line of text.split('\n')) {
    const place = placeIn(line);
    if (place !== undefined) known.set(line.slice(0, line.indexOf(' ')), place);
  }
  return known;
}

function search(text: string, key: string): Packed | undefined {
  let place: Packed | undefined;
  for (let at = text.indexOf(`${key} `); at >= 0; at = text.indexOf(`${key} `, at + key.length)) {
    place = placeIn(text.slice(at, text.indexOf('\n', at))) ?? place;
  }
  return place;
}

function placeIn(line: string): Packed | undefined {
  const [key = '', offset = '', size = ''] = line.split(' ');
  const place = { offset: Number(offset), size: Number(size) };
  const isPlace = isBlobKey(key) && Number.isSafeInteger(place.offset) && Number.isSafeInteger(place.size);
  return isPlace ? place : undefined;
}
