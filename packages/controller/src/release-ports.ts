/** What the controller needs of an app's files on this machine. */
import type { Writable } from 'node:stream';
import type { App, ChunkList, ImageWish, Manifest, ManifestFile } from '@silverlining/protocol';

export interface ScannedRelease {
  manifest: Manifest;
  digest: string;
  /** What the digest is of, in UTF-8, of a release that was just scanned. */
  text?: Uint8Array;
  /** Bytes of all files. */
  bytes: number;
}

/** The app's files on the workstation. */
export interface ReleaseSource {
  /** Reads the tree (only files whose stat changed since the last scan are hashed again). E_APP_CONFIG names what cannot be deployed. */
  scan(app: App, signal: AbortSignal): Promise<ScannedRelease>;
  /** What a large file of the release consists of; E_APP_CONFIG when it changed since it was scanned. */
  chunks(app: App, file: ManifestFile, signal: AbortSignal): Promise<ChunkList>;
  /**
   * The tar, zstd-compressed unless it is wanted `plain`, of the files whose bit is set in `missing`, and of those in `parts` some
   * chunks alone. The same wishes get the same bytes, made once; with `isAgain` they are made anew.
   */
  pack(app: App, release: ScannedRelease, wanted: PackWish): PackedRelease;
  /** The release laid out as an image, for nodes that have nothing of it. The same wishes get the same bytes, made once. */
  image(app: App, release: ScannedRelease, wish: ImageWish & { plain: boolean }): LaidImage;
  /**
   * The same archive where its files are not here: `fetch` has it from somewhere else, once for all that lack the same, and throws what
   * is thrown here. Resolves when it is whole.
   */
  borrow(release: ScannedRelease, missing: string, fetch: (take: Take) => Promise<void>): Promise<PackedRelease>;
}

/** Takes the next compressed bytes. */
export type Take = (chunk: Buffer) => Promise<void>;

export interface PackWish {
  missing: string;
  parts?: readonly FilePart[];
  isAgain?: boolean;
  /** Not compressed. */
  plain?: boolean;
}

/** Chunks of a large file, one behind the other. */
export interface FilePart {
  file: ManifestFile;
  chunks: ChunkList;
  /** Base64 bitmap of those that are meant. */
  missing: string;
}

/** An index of the contents, then the image in which they stand. */
export interface LaidImage extends Pick<PackedRelease, 'send' | 'close'> {
  /** Bytes of the index, of the image, and of the text of the manifest in it. */
  index: number;
  bytes: number;
  manifest: number;
  /** SHA-256 of index and image, once all of it was read. */
  sha256(): Promise<string>;
}

export interface PackedRelease {
  files: number;
  /** Uncompressed bytes of what is packed. */
  bytes: number;
  /**
   * Brings it to a sink and ends that, at the sink's own pace; several may be fed at the same time. `took` is told of
   * bytes as they go, as they are sent. What a sink was given is its own until it says that it was written: sockets do when
   * the system has a copy.
   */
  send(sink: Writable, signal: AbortSignal, took?: (bytes: number) => void): Promise<void>;
  /** All of it, as it is sent, in base64: for what is small. The same text for all who ask. */
  base64(): Promise<string>;
  /** Every `pack` is closed once by who called it; with the last one what was packed is gone. */
  close(): Promise<void>;
}
