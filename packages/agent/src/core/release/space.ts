/** Whether a release fits. */
import { type ManifestFile, SlError } from '@silverlining/protocol';
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
}

/**
 * What a release takes beside what is there already: missing contents, copies of its configuration, or of all of it, and folders; all
 * contents when it becomes an image. Inodes are counted as if it did not: whether it can be mounted shows later.
 */
export function spaceNeeded(release: NewFiles): { bytes: number; inodes: number } {
  const { listing, isLayer, isCopied } = release;
  const { files, links } = isLayer && !isCopied ? listing.changes : listing.manifest();
  const written = writtenOf(release, files);
  const folders = countFolders(files);
  const bytes = written.reduce((sum, file) => sum + Math.ceil(file.size / BLOCK) * BLOCK, folders * BLOCK);
  return { bytes, inodes: written.length + folders + links.length };
}

function writtenOf(
  { listing, missing, isLayer, isCopied }: NewFiles,
  files: readonly ManifestFile[],
): readonly ManifestFile[] {
  if (isCopied) return [...missing, ...files];
  if (!isLayer && worthPacking(listing, missing)) return files;
  return [...missing, ...files.filter((file) => file.path.startsWith('config/'))];
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
  const need = spaceNeeded(files);
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
