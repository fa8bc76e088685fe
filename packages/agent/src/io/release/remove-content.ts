import { rmSync, statSync } from 'node:fs';
import { CHUNKED_FROM } from '@silverlining/protocol';
import { rm } from '@silverlining/system';

/**
 * Removes a file, if it is there. A large one in another thread: the last name of half a gigabyte takes ext4 up to a second while others
 * write, in which the agent would hear of nothing. A small one at once, as that is quicker than the way to another thread and back.
 */
export function removeContent(path: string): Promise<void> | undefined {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size >= CHUNKED_FROM) return rm(path, { force: true });
  rmSync(path, { force: true });
  return undefined;
}
