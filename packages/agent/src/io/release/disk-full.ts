import { type ManifestFile, SlError } from '@silverlining/protocol';
import { isOutOfSpace } from '@silverlining/system';

/** Does it, and names the file, if it is known, when the disk is full. */
export function diskFullAs<T>(file: ManifestFile | undefined, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw diskFull(file, error);
  }
}

/** What to throw in place of an error that came while the file was written. */
export function diskFull(file: ManifestFile | undefined, cause: unknown): unknown {
  if (!isOutOfSpace(cause)) return cause;
  const where = file === undefined ? '' : ` while ${JSON.stringify(file.path)} was written`;
  return new SlError('E_DISK_FULL', `the disk, or its inodes, ran out${where}`, { cause });
}

/** The error for a content that the store had, and has no more. */
export function lostContent(file: ManifestFile, cause: unknown): SlError {
  const message = `the content of ${JSON.stringify(file.path)} is gone from the node; deploy again`;
  return new SlError('E_MANIFEST', message, { cause, details: { entry: file.path } });
}

/** The error for a content that is not what its manifest says. */
export function wrongContent(file: ManifestFile): SlError {
  const message = `${JSON.stringify(file.path)} came with another content than the manifest says`;
  return new SlError('E_MANIFEST', message, { details: { entry: file.path } });
}
