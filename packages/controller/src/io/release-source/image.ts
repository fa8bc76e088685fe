/** Releases as images: the file that a node mounts, laid out here. */
import { createHash } from 'node:crypto';
import { type App, type ImageWish, type ManifestFile, manifestText, SlError } from '@silverlining/protocol';
import {
  BLOCK,
  blobKey,
  erofsMetadata,
  imageEntries,
  indexLine,
  LISTING,
  type Packed,
  SUPERBLOCK_AT,
  SYMBOLIC_OWNERS,
} from '@silverlining/system';
import type { ReleaseSource, ScannedRelease } from '../../ports.ts';
import { wholeFile } from './file-content.ts';
import { locateIn } from './locate.ts';
import { inPieces } from './pieces.ts';
import { createSharing, fillWith, type Packing } from './shared-pack.ts';

/** Bytes of a file that are read at once. */
const READ = 256 << 10;
const ZEROS = Buffer.alloc(BLOCK);

/** Lays out once what several nodes want in the same way. */
export function createImages(directory: string): Pick<ReleaseSource, 'image'> {
  const shared = createSharing<ImagePacking>(directory);
  return {
    image(app, release, { plain, support }) {
      const key = JSON.stringify([release.digest, plain, support]);
      const { pack, open } = shared(key, () => imagePacking(app, release, { support, plain }));
      const { index, bytes, manifest } = pack.packing.layout;
      const sha256 = async () => {
        await pack.whole;
        return pack.packing.sha256();
      };
      return { index: index.length, bytes, manifest, sha256, send: open.send, close: open.close };
    },
  };
}

interface ImagePacking extends Packing {
  layout: ImageLayout;
  /** Of all pieces, once they were written. */
  sha256(): string;
}

function imagePacking(app: App, release: ScannedRelease, wish: ImageWish & { plain: boolean }): ImagePacking {
  const layout = layOut(release, wish, Math.floor(Date.now() / 1000));
  const digest = createHash('sha256');
  let text: string | undefined;
  function* hashed(): Generator<Buffer> {
    for (const piece of inPieces(partsOf(layout, (path) => locateIn(app, path)))) {
      digest.update(piece);
      yield piece;
    }
  }
  return {
    ...{ files: release.manifest.files.length, bytes: layout.index.length + layout.bytes, layout },
    fill: (spool, signal) => fillWith(spool, hashed(), wish, signal),
    sha256: () => {
      text ??= digest.digest('hex');
      return text;
    },
  };
}

interface ImageLayout {
  /** Says where in the image each content stands. */
  index: Buffer;
  /** Of the image. */
  bytes: number;
  /** Of the text of the manifest, which stands from the second block on. */
  manifest: number;
  /** What the image consists of, in order, each from a block on; a file stands for its content. */
  parts: readonly (Buffer | ManifestFile)[];
}

/** Places for all that is in the release. `builtAt`, in seconds since 1970, is the time of all files. */
function layOut({ manifest }: Pick<ScannedRelease, 'manifest'>, { support }: ImageWish, builtAt: number): ImageLayout {
  const first = Buffer.alloc(BLOCK);
  const parts: (Buffer | ManifestFile)[] = [];
  let bytes = 0;
  const place = (part: Buffer | ManifestFile): Packed => {
    const size = sizeOf(part);
    const offset = bytes;
    parts.push(part);
    bytes += Math.ceil(size / BLOCK) * BLOCK;
    return { offset, size };
  };
  place(first);
  const listing = Buffer.from(manifestText(manifest));
  const own = { [LISTING]: place(listing) };
  const contents = new Map<string, Packed>();
  for (const file of manifest.files) {
    const key = blobKey(file);
    if (!contents.has(key)) contents.set(key, place(file));
  }
  const placed = Object.entries(support).map(([name, text]) => [name, place(Buffer.from(text))] as const);
  const placeOf = (file: ManifestFile) => found(contents.get(blobKey(file)), file);
  const entries = imageEntries({
    manifest,
    owners: SYMBOLIC_OWNERS,
    placeOf,
    support: Object.fromEntries(placed),
    own,
  });
  const { blocks, superblock } = erofsMetadata(entries, { at: bytes, builtAt });
  place(blocks);
  superblock.copy(first, SUPERBLOCK_AT);
  const lines = [...contents].map(([key, it]) => indexLine(key, it));
  return { index: Buffer.from(lines.join('')), bytes, manifest: listing.length, parts };
}

/** The bytes of the index, then those of the image, each valid until the next. Contents are checked as they are read. */
function* partsOf({ index, parts }: ImageLayout, locate: (path: string) => string): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(READ);
  yield index;
  for (const part of parts) {
    if (Buffer.isBuffer(part)) yield part;
    else yield* wholeFile(part, locate(part.path), buffer);
    const padding = (BLOCK - (sizeOf(part) % BLOCK)) % BLOCK;
    if (padding > 0) yield ZEROS.subarray(0, padding);
  }
}

function sizeOf(part: Buffer | ManifestFile): number {
  return Buffer.isBuffer(part) ? part.length : part.size;
}

function found(place: Packed | undefined, file: ManifestFile): Packed {
  if (place === undefined) throw new SlError('E_INTERNAL', `${file.path} has no place in the image`);
  return place;
}
