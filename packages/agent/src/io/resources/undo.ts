import { readFile, readlink, rm } from 'node:fs/promises';
import { linkDurable, writeFileDurable } from '@silverlining/system';
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
