import { readFile, writeFile } from 'node:fs/promises';

/** What the kernel allows one user in all containers together; each node's systemd and journal take five to eight. */
const INOTIFY_INSTANCES = '/proc/sys/fs/inotify/max_user_instances';
/** Room for a thousand nodes. It is a ceiling and not a reservation, so it costs nothing, and it stays until a reboot. */
const WANTED = 8192;

/**
 * Raises the limit that a machine runs into at some twenty nodes: from there on their systemd would wait for events that
 * nobody can tell it of, and never come up. A higher limit is left alone, and so is one that may not be changed.
 */
export async function raiseInotifyLimit(file = INOTIFY_INSTANCES): Promise<void> {
  const limit = Number(await readFile(file, 'utf8'));
  if (limit >= WANTED) return;
  await writeFile(file, `${WANTED}\n`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EROFS' && error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
  });
}
