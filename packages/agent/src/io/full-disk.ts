/** A full disk as a coded error, wherever an agent runs into it. */
import { SlError } from '@silverlining/protocol';
import { type DiskSpace, freeSpace, isOutOfSpace } from '@silverlining/system';

/**
 * E_DISK_FULL with what is free below `folder`, in place of the system's error: a journal is as little to be written on a full disk
 * as a release, but what it takes nobody has reckoned. Any other error as it is.
 */
export async function asDiskFull(error: unknown, folder: string): Promise<unknown> {
  if (!(error instanceof Error) || !isOutOfSpace(error)) return error;
  const free = await freeSpace(folder).catch(() => undefined);
  const says = free === undefined ? '' : `; ${wordsOf(free)} free in ${folder}`;
  const text = `the disk, or its inodes, ran out (${error.message})${says}`;
  return new SlError('E_DISK_FULL', text, { cause: error, details: free === undefined ? {} : { free } });
}

function wordsOf({ bytes, inodes }: DiskSpace): string {
  const space = `${Math.floor(bytes / (1 << 20))} MiB`;
  return inodes === undefined ? `${space} are` : `${space} and ${inodes} inodes are`;
}
