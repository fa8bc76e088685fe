import { chmod, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where Silver Lining keeps what it has on this machine. */
export interface Directories {
  /** Private (0700) and precious: the store, keys, the disks of local nodes. */
  state: string;
  /** May be deleted at any time that nothing runs: images, runtimes, packages. */
  cache: string;
}

/**
 * `$XDG_STATE_HOME/silverlining` and `$XDG_CACHE_HOME/silverlining`, by default under `~/.local/state` and `~/.cache`.
 * Values that are not absolute are ignored, as the XDG Base Directory specification wants.
 */
export function findDirectories(env: NodeJS.ProcessEnv = process.env): Directories {
  const home = env.HOME ?? homedir();
  return {
    state: join(base(env.XDG_STATE_HOME, join(home, '.local/state')), 'silverlining'),
    cache: join(base(env.XDG_CACHE_HOME, join(home, '.cache')), 'silverlining'),
  };
}

/** Makes both, the state 0700 even where it existed with more. */
export async function makeDirectories(directories: Directories): Promise<void> {
  await mkdir(directories.state, { recursive: true, mode: 0o700 });
  await chmod(directories.state, 0o700);
  await mkdir(directories.cache, { recursive: true });
}

function base(given: string | undefined, fallback: string): string {
  return given !== undefined && isAbsolute(given) ? given : fallback;
}
