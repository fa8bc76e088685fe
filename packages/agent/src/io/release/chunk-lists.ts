import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type ChunkList, chunkList } from '@silverlining/protocol';
import { writeFile } from '@silverlining/system';
import { type ChunkIndex, indexChunks, type Range } from '../../core/release/assembly.ts';

/** Chunks that are looked at for one offer: 16 GB of contents, and some ten megabytes of memory while it lasts. */
const MAX_INDEXED = 250_000;

/** What the large contents of the store consist of. A list that is lost costs a transfer, nothing else. */
export class ChunkListStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  async write(key: string, list: ChunkList): Promise<void> {
    await writeFile(`${this.#folder}/${key}`, JSON.stringify(list), { mode: 0o600 });
  }

  /** Where the chunks of these contents are; what comes first counts first. */
  index(keys: Iterable<string>): ChunkIndex {
    const index = new Map<string, Range & { bytes: number }>();
    for (const key of keys) {
      if (index.size > MAX_INDEXED) break;
      const list = this.#read(key);
      if (list !== undefined) indexChunks(index, key, list);
    }
    return index;
  }

  /** Forgets the lists of contents that are not there any more. */
  keep(has: (key: string) => boolean): void {
    for (const key of readdirSync(this.#folder)) if (!has(key)) this.remove(key);
  }

  remove(key: string): void {
    rmSync(`${this.#folder}/${key}`, { force: true });
  }

  #read(key: string): ChunkList | undefined {
    try {
      return chunkList.parse(JSON.parse(readFileSync(`${this.#folder}/${key}`, 'utf8')));
    } catch {
      // There is none, or a crash cut it.
      return undefined;
    }
  }
}
