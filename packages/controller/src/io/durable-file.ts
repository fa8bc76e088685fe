import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a replaced file keeps when it belongs to somebody else. */
export interface FileAttributes {
  mode: number;
  uid: number;
  gid: number;
}

/**
 * Replaces a file so that a crash at any moment, power loss included, leaves the old content or the new, whole.
 * The new file has the mode given, 0600 when not, and belongs to this process's user unless attributes say otherwise.
 */
export async function writeFileDurable(
  path: string,
  content: string | Uint8Array,
  attributes: number | FileAttributes = 0o600,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeSynced(temporary, content, attributes);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes a directory and its parents, with its own entry on disk before it returns. */
export async function makeDirectoryDurable(path: string, mode = 0o700): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await syncDirectory(dirname(path));
}

/** Brings renames and new entries in the directory to disk: without it the file's data survive a crash, its name may not. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeSynced(
  path: string,
  content: string | Uint8Array,
  attributes: number | FileAttributes,
): Promise<void> {
  const mode = typeof attributes === 'number' ? attributes : attributes.mode;
  const handle = await open(path, 'wx', mode);
  try {
    if (typeof attributes !== 'number') await handle.chown(attributes.uid, attributes.gid);
    // The umask may have taken bits away from the mode that `open` was given.
    await handle.chmod(mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
