import { readFile } from 'node:fs/promises';
import { type ChunkList, chunkList, SlError } from '@silverlining/protocol';
import { pruneCache, writeCacheFile } from './cache-file.ts';
import { type LargeContent, readLarge } from './large-file.ts';

/** Lists that are kept: those of the contents that were looked at last. */
const KEPT = 500;

interface Search {
  list: Promise<ChunkList>;
  /** Of whoever began it. */
  signal: AbortSignal;
}

/** What large contents consist of, by their SHA-256. A list that is lost is made again. */
export class ChunkCache {
  readonly #folder: string;
  /** Ten nodes ask for the same at once. */
  readonly #underWay = new Map<string, Search>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes in what reading a file found out. */
  async add({ sha256, chunks }: LargeContent): Promise<void> {
    await writeCacheFile(`${this.#folder}/${sha256}`, [JSON.stringify(chunks)]);
    await pruneCache(this.#folder, KEPT);
  }

  /** The chunks of a file with this content. E_APP_CONFIG when the file has another one by now. */
  async get(sha256: string, absolute: string, signal: AbortSignal): Promise<ChunkList> {
    const search = this.#underWay.get(sha256) ?? { list: this.#find(sha256, absolute, signal), signal };
    this.#underWay.set(sha256, search);
    try {
      return await search.list;
    } catch (error) {
      // Who began it may have been cancelled, a deploy of the same app to another set: that is no reason for this one.
      if (signal.aborted || !search.signal.aborted) throw error;
    } finally {
      if (this.#underWay.get(sha256) === search) this.#underWay.delete(sha256);
    }
    return this.get(sha256, absolute, signal);
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
