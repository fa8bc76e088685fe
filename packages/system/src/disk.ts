import { errno } from './durable-file.ts';
import { statfs } from './files.ts';

export interface DiskSpace {
  /** For whom has no privileges. */
  bytes: number;
  /** Undefined where the file system has no fixed number of them. */
  inodes: number | undefined;
}

/** What is free on the file system of a folder; throws the system's error. */
export async function freeSpace(folder: string): Promise<DiskSpace> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  return { bytes: bavail * bsize, inodes: files === 0 ? undefined : ffree };
}

/** Whether a system error says that the disk, its inodes, or a quota of either ran out. */
export function isOutOfSpace(error: unknown): boolean {
  return errno(error) === 'ENOSPC' || errno(error) === 'EDQUOT';
}
