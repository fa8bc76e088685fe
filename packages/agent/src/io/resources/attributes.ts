import { lstatSync, type Stats } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import { errno, type FileOwner } from '@silverlining/system';
import type { Observations } from './observations.ts';

interface Attributes {
  mode: number;
  owner: string;
  group: string;
}

/**
 * What is at the path itself; undefined when nothing is. Synchronous, as is reading a file's content to compare it: a
 * question that takes microseconds costs ten times as much by way of the thread pool, and a node is asked hundreds.
 */
export function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errno(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** How mode and owner differ, for people. An owner that does not exist yet differs too. */
export async function attributeDifferences(wanted: Attributes, found: Stats, node: Observations): Promise<string[]> {
  const differences: string[] = [];
  if ((found.mode & 0o7777) !== wanted.mode)
    differences.push(`mode ${octal(found.mode & 0o7777)} instead of ${octal(wanted.mode)}`);
  const { users, groups } = await node.accounts();
  if (users.get(wanted.owner)?.uid !== found.uid) differences.push(`owner ${found.uid} instead of ${wanted.owner}`);
  if (groups.get(wanted.group)?.gid !== found.gid) differences.push(`group ${found.gid} instead of ${wanted.group}`);
  return differences;
}

/** Ids of the owner and group; E_RESOURCE when one does not exist. */
export async function resolveOwner(wanted: Attributes, node: Observations): Promise<FileOwner> {
  const { users, groups } = await node.accounts();
  const uid = users.get(wanted.owner)?.uid;
  const gid = groups.get(wanted.group)?.gid;
  if (uid === undefined) throw new SlError('E_RESOURCE', `user ${wanted.owner} does not exist`);
  if (gid === undefined) throw new SlError('E_RESOURCE', `group ${wanted.group} does not exist`);
  return { uid, gid };
}

/** What a path is, in a word. */
export function kindOf(found: Stats): string {
  if (found.isFile()) return 'a file';
  if (found.isDirectory()) return 'a directory';
  return found.isSymbolicLink() ? 'a link' : 'a special file';
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
