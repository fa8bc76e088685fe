/** What the agent's release handling needs of the contents on the node. `io/release/content-store.ts` has it. */
import type { Readable } from 'node:stream';
import type { ChunkList, ManifestFile } from '@silverlining/protocol';
import type { Assembly } from './core/release/assembly.ts';
import type { Listing } from './core/release/listing.ts';

/** Contents by SHA-256. Whatever is in it is whole and on disk. */
export interface ContentStore {
  /** Those whose contents are not here, in order; of equal contents the first. From memory: 10,000 files cost milliseconds. */
  lacking(files: readonly ManifestFile[]): ManifestFile[];
  /**
   * Takes in again what an interruption left of these files, as far as it is whole and right. Returns the bytes that
   * there are of others.
   */
  salvage(files: readonly ManifestFile[], signal: AbortSignal): Promise<number>;
  /** Reads what there is of these files, and drops what is not their content any more: so it is lacking, and comes anew. */
  verify(files: readonly ManifestFile[], signal: AbortSignal): Promise<void>;
  /**
   * Finds out how large contents can be put together from what is here: from `sources`, and from what an interruption
   * left of them. In the order of `contents`, with the chunks that have to be sent.
   */
  plan(
    contents: readonly { file: ManifestFile; list: ChunkList }[],
    sources: readonly ManifestFile[],
    signal: AbortSignal,
  ): Promise<{ assembly: Assembly; missing: ReadonlySet<number> }[]>;
  /**
   * Takes the files of a tar stream, which zstd compressed unless they come `plain`; the input is destroyed when anything is wrong
   * with it. What came whole stays, so that a resumed upload goes on where it was cut. Returns when it is on disk.
   */
  receive(input: Readable, files: ReceivedFiles, signal: AbortSignal): Promise<{ files: number; bytes: number }>;
  /** How many of these contents, by their keys, are here, or may be: an interruption may have left some of them. */
  mayHave(keys: readonly string[]): number;
  /**
   * Takes an index of contents, then the image of a release in which they stand; the input is destroyed when anything is wrong with
   * it. What came whole of one that was cut stays for the next offer. E_TAR_* or E_DISK_FULL.
   */
  receiveImage(input: Readable, form: ImageForm, signal: AbortSignal): Promise<ReceivedImage>;
  /**
   * Removes contents that are none of these; returns how many. What a cut transfer left stays for the next try, for a day; where room is
   * `short`, only what is of these.
   */
  collect(needed: Iterable<ManifestFile>, room?: 'short'): Promise<number>;
  /** Free bytes and inodes; `inodes` is undefined where the file system has no fixed number. */
  space(): Promise<{ bytes: number; inodes: number | undefined }>;
  removeAll(): Promise<void>;
}

/** How an image comes. */
export interface ImageForm {
  /** Bytes of the index, of the image, and of the text of the manifest in it. */
  index: number;
  bytes: number;
  manifest: number;
  plain: boolean;
}

/** An image that came. Nothing of it is trusted before the controller said its digest. */
export interface ReceivedImage {
  /** SHA-256 of the index and the image. */
  readonly sha256: string;
  /** Resolves when the disk has most of it, E_DISK_FULL when that has no room: meanwhile other things can be done. */
  readonly written: Promise<void>;
  /** The text of the manifest that stands in it; empty where it is gone. */
  manifestText(): string;
}

export interface ReceivedFiles {
  listing: Listing;
  missing: readonly ManifestFile[];
  /** Those of which only a part is sent, by path. */
  assemblies?: ReadonlyMap<string, Assembly>;
  plain?: boolean;
}
