import { readFile } from 'node:fs/promises';
import { type ChunkList, chunkList, SlError } from '@silverlining/protocol';
import { pruneCache, writeCacheFile } from './cache-file.ts';
import { type LargeContent, readLarge } from './large-file.ts';

/** Lists that are kept: those of the contents that were looked at last. */
const KEPT = 500;

/** What large contents consist of, by their SHA-256. A list that is lost is made again. */
export class ChunkCache {
  readonly #folder: string;
  /** Ten nodes ask for the same at once. */
  readonly #underWay = new Map<string, Promise<ChunkList>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes in what reading a file found out. */
  async add({ sha256, chunks }: LargeContent): Promise<void> {
    await writeCacheFile(`${this.#folder}/${sha256}`, JSON.stringify(chunks));
    await pruneCache(this.#folder, KEPT);
  }

  /** The chunks of a file with this content. E_APP_CONFIG when the file has another one by now. */
  async get(sha256: string, absolute: string, signal: AbortSignal): Promise<ChunkList> {
    const known = this.#underWay.get(sha256) ?? this.#find(sha256, absolute, signal);
    this.#underWay.set(sha256, known);
    try {
      return await known;
    } finally {
      this.#underWay.delete(sha256);
    }
  }

  /** What a content consists of, if that is remembered. */
  async remembered(sha256: string): Promise<ChunkList | undefined> {
    try {
      return chunkList.parse(JSON.parse(await readFile(`${this.#folder}/${sha256}`, 'utf8')));
    } catch {
      // Missing or damaged: it is made again.
      return undefined;
    }
  }

  async #find(sha256: string, absolute: string, signal: AbortSignal): Promise<ChunkList> {
    const known = await this.remembered(sha256);
    if (known !== undefined) return known;
    const content = await readLarge(absolute, signal);
    if (content.sha256 !== sha256) {
      throw new SlError('E_APP_CONFIG', `${absolute} changed while being deployed; deploy again`);
    }
    await this.add(content);
    return content.chunks;
  }
}
