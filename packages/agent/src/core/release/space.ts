/** Whether a release fits. */
import { CHUNKED_FROM, type ManifestFile, SlError } from '@silverlining/protocol';
import { worthPacking } from './layer.ts';
import type { Listing } from './listing.ts';

const BLOCK = 4096;
/** Left free for journals and logs. */
const RESERVE = 32 << 20;
const RESERVED_INODES = 256;

export interface Space {
  bytes: number;
  /** Undefined where the file system has no fixed number. */
  inodes: number | undefined;
}

export interface NewFiles {
  listing: Listing;
  missing: readonly ManifestFile[];
  /** Whether nothing has to be made but what differs from another release. */
  isLayer: boolean;
  /** Whether it shares no file with others. */
  isCopied?: boolean;
  /** Whether images can be mounted, as far as that is known. */
  takesImages: boolean;
}

/**
 * What a release takes beside what is there already: missing contents, copies of its configuration, or of all of it, and folders; all
 * contents when it becomes an image. Inodes are counted as if it did not: whether it can be mounted shows later.
 */
export function spaceNeeded(release: NewFiles): { bytes: number; inodes: number } {
  const { listing, isLayer, isCopied } = release;
  const { files, links } = isLayer && !isCopied ? listing.changes : listing.manifest();
  const made = madeOf(release, files);
  const folders = countFolders(files);
  const written = [...made, ...unpackedOf(release)];
  const bytes = written.reduce((sum, file) => sum + Math.ceil(file.size / BLOCK) * BLOCK, folders * BLOCK);
  return { bytes, inodes: made.length + folders + links.length };
}

function madeOf(release: NewFiles, files: readonly ManifestFile[]): readonly ManifestFile[] {
  const { missing, isCopied } = release;
  if (isCopied) return [...missing, ...files];
  if (becomesImage(release)) return files;
  return [...missing, ...files.filter((file) => file.path.startsWith('config/'))];
}

/** What comes in one file as for an image, and is made files of then. Large ones come as files anyway. */
function unpackedOf(release: NewFiles): readonly ManifestFile[] {
  const { listing, missing, isLayer, isCopied } = release;
  const isLinked = !isCopied && (isLayer || release.takesImages);
  return isLinked || !worthPacking(listing, missing) ? [] : missing.filter(({ size }) => size < CHUNKED_FROM);
}

function becomesImage({ listing, missing, isLayer, takesImages }: NewFiles): boolean {
  return takesImages && !isLayer && worthPacking(listing, missing);
}

/** Files of a folder mostly follow each other; a folder that is counted twice does no harm here. */
function countFolders(files: readonly ManifestFile[]): number {
  let [count, folder] = [0, ''];
  for (const { path } of files) {
    if (folder !== '' && path.startsWith(folder) && path.indexOf('/', folder.length) === -1) continue;
    folder = path.slice(0, path.lastIndexOf('/') + 1);
    count++;
  }
  return count;
}

/** Throws E_DISK_FULL with need and free, in bytes or inodes, when it does not fit. */
export function checkSpace(files: NewFiles, free: Space): void {
  checkNeed(spaceNeeded(files), free);
}

/** The same of one that comes as an image: whether that can be mounted shows later, so inodes are counted as if it could not. */
export function checkImageSpace({ bytes, files }: { bytes: number; files: number }, free: Space): void {
  checkNeed({ bytes, inodes: files }, free);
}

function checkNeed(need: { bytes: number; inodes: number }, free: Space): void {
  if (need.bytes + RESERVE > free.bytes) {
    throw full(`${mebibytes(need.bytes)} and ${mebibytes(RESERVE)} to spare`, mebibytes(free.bytes), need, free);
  }
  if (free.inodes !== undefined && need.inodes + RESERVED_INODES > free.inodes) {
    throw full(`${need.inodes} inodes and ${RESERVED_INODES} to spare`, `${free.inodes} inodes`, need, free);
  }
}

function full(wanted: string, has: string, need: object, free: Space): SlError {
  return new SlError('E_DISK_FULL', `the release needs ${wanted}; ${has} are free`, { details: { need, free } });
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / (1 << 20))} MiB`;
}
