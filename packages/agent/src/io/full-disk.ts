/** A full disk as a coded error, wherever an agent runs into it. */
import { statfs } from 'node:fs/promises';
import { SlError } from '@silverlining/protocol';
import { errno } from '@silverlining/system';

const FULL: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT']);

/**
 * E_DISK_FULL with what is free below `folder`, in place of the system's error: a journal is as little to be written on a full disk
 * as a release, but what it takes nobody has reckoned. Any other error as it is.
 */
export async function asDiskFull(error: unknown, folder: string): Promise<unknown> {
  if (!(error instanceof Error) || !FULL.has(errno(error))) return error;
  const free = await freeIn(folder);
  const says = free === undefined ? '' : `; ${wordsOf(free)} free in ${folder}`;
  const text = `the disk, or its inodes, ran out (${error.message})${says}`;
  return new SlError('E_DISK_FULL', text, { cause: error, details: free === undefined ? {} : { free } });
}

interface Free {
  bytes: number;
  /** Absent where the file system has no fixed number. */
  inodes?: number;
}

async function freeIn(folder: string): Promise<Free | undefined> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(folder);
    return { bytes: bavail * bsize, ...(files === 0 ? {} : { inodes: ffree }) };
  } catch {
    return undefined;
  }
}

function wordsOf({ bytes, inodes }: Free): string {
  const space = `${Math.floor(bytes / (1 << 20))} MiB`;
  return inodes === undefined ? `${space} are` : `${space} and ${inodes} inodes are`;
}
