import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { access, mkdir, OpenFile, open, readdir, readFile, rename, rm, symlink } from './files.ts';

/** One that a crash leaves in a system folder is passed over by what reads whole folders: apt, logrotate, run-parts. */
const TEMPORARY = '.dpkg-tmp';
/** What a temporary name has behind that of its file; dpkg's own have no UUID. */
const RANDOM_PART = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.dpkg-tmp$/;

export interface FileOwner {
  uid: number;
  gid: number;
}

/**
 * Replaces a file so that a crash at any moment, power loss included, leaves the old content or the new, whole.
 * `mode` is that of the new file, 0600 when not given; its owner is this process's user when not given.
 */
export async function writeFileDurable(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
  owner?: FileOwner,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await writeSynced(temporary, content, { mode, owner });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncPath(dirname(path));
}

/** Makes `path` a symbolic link to `target`, replacing whatever link or file was there in one step. */
export async function linkDurable(path: string, target: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await symlink(target, temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncPath(dirname(path));
}

/** Removes what writers of the folder's files left that were cut off, where it exists. Nobody may be writing there. */
export function removeTemporaries(folder: string): Promise<void> {
  return removeWhere(folder, (name) => name.endsWith(TEMPORARY));
}

/** The same in a folder that others write to as well: removes what writers of this one file left. Nobody may be writing it. */
export function removeTemporariesOf(path: string): Promise<void> {
  const start = `${basename(path)}.`;
  return removeWhere(dirname(path), (name) => name.startsWith(start) && RANDOM_PART.test(name.slice(start.length)));
}

async function removeWhere(folder: string, isLeft: (name: string) => boolean): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return [];
    throw error;
  });
  for (const name of names.filter(isLeft)) await rm(`${folder}/${name}`, { force: true });
}

/** Makes a directory and its parents, with its own entry on disk before it returns. */
export async function makeDirectoryDurable(path: string, mode = 0o700): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  await syncPath(dirname(path));
}

/**
 * Brings a file to disk, or the renames and new entries in a directory: without it a power cut brings the old file or link back. Only
 * what waits for the disk is done in another thread: a way there and back takes longer than to open or close.
 */
export async function syncPath(path: string): Promise<void> {
  const file = new OpenFile(openSync(path, 'r'));
  try {
    await file.sync();
  } finally {
    closeSync(file.fd);
  }
}

/** The file's text; undefined when there is no such file. Other errors are thrown. */
export async function readFileIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether there is a file or folder, and one that this process may use as `mode` of access(2) says. */
export async function exists(path: string, mode = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** The `code` of a system error (`ENOENT`, ...); undefined for anything else. */
export function errno(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function temporaryName(path: string): string {
  return `${path}.${randomUUID()}${TEMPORARY}`;
}

async function writeSynced(
  path: string,
  content: string | Uint8Array,
  attributes: { mode: number; owner: FileOwner | undefined },
): Promise<void> {
  // Opened 0600: nobody else may read it before its owner and mode are set.
  const handle = await open(path, 'wx', 0o600);
  try {
    if (attributes.owner !== undefined) await handle.chown(attributes.owner.uid, attributes.owner.gid);
    await handle.chmod(attributes.mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
