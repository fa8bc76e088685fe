import { dirname } from 'node:path';
import {
  linkDurable,
  mkdir,
  readFile,
  readlink,
  removeTemporariesOf,
  rm,
  writeFileDurable,
} from '@silverlining/system';
import { lookAt } from './attributes.ts';

/** Remembers what is at the path now, a file, a link or nothing; the function that it returns puts that back. */
export async function remember(path: string): Promise<() => Promise<void>> {
  const found = lookAt(path);
  if (found === undefined) return () => rm(path, { force: true });
  if (found.isSymbolicLink()) {
    const target = await readlink(path);
    return () => linkDurable(path, target);
  }
  const content = await readFile(path);
  return () => writeFileDurable(path, content, found.mode & 0o7777, { uid: found.uid, gid: found.gid });
}

/**
 * Writes what is to be at the path, in a folder that is made where it is missing; what an agent left there that was killed as it wrote
 * goes first. The function that it returns puts back what was there.
 */
export async function replace(path: string, write: () => Promise<void>): Promise<() => Promise<void>> {
  const undo = await remember(path);
  await mkdir(dirname(path), { recursive: true });
  await removeTemporariesOf(path);
  await write();
  return undo;
}
