/** Whether a release fits. */
import { CHUNKED_FROM, type ManifestChanges, type ManifestFile, SlError } from '@silverlining/protocol';
import type { ReleaseForm } from './layer.ts';
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
  /** Those of `partsOf` that are here, and have to be made files of first. */
  packed: readonly ManifestFile[];
  form: ReleaseForm;
}

/** What a release is made of in that form: of a layer nothing but what differs from another release. */
export function partsOf(listing: Listing, form: ReleaseForm): Pick<ManifestChanges, 'files' | 'links'> {
  return form === 'layer' ? listing.changes : listing.manifest();
}

/**
 * What a release takes beside what is there already. Inodes of an image are counted as if it were none: whether it can be mounted
 * shows later.
 */
export function spaceNeeded(release: NewFiles): { bytes: number; inodes: number } {
  const { files, links } = partsOf(release.listing, release.form);
  const written = writtenOf(release);
  const folders = countFolders(files);
  const bytes = written.reduce((sum, file) => sum + Math.ceil(file.size / BLOCK) * BLOCK, folders * BLOCK);
  return { bytes, inodes: written.length + folders + links.length };
}

/** Each file as often as its content is written. */
function writtenOf({ listing, missing, packed, form }: NewFiles): ManifestFile[] {
  const { files } = partsOf(listing, form);
  // Large ones are received as files of their own.
  if (form === 'image') return [...files, ...missing.filter(({ size }) => size >= CHUNKED_FROM)];
  const copied = form === 'copies' ? files : files.filter(({ path }) => path.startsWith('config/'));
  return [...missing, ...packed, ...copied];
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
