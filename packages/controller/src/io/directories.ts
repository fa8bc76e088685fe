import { chmod, mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { isOutOfSpace } from '@silverlining/system';

/** Where Silver Lining keeps what it has on this machine. */
export interface Directories {
  /** Private (0700) and precious: the store, keys, the disks of local nodes. */
  state: string;
  /** May be deleted at any time that nothing runs: images, runtimes, packages. */
  cache: string;
}

type Variable = 'XDG_STATE_HOME' | 'XDG_CACHE_HOME';

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

/**
 * Makes both, the state 0700 even where it existed with more. The state may be a link, to a larger disk say. E_CONTROLLER when
 * they cannot be had, or the state is another user's: what is written there would be out of that user's reach.
 */
export async function makeDirectories({ state, cache }: Directories): Promise<void> {
  const owner = await usable(state, 'XDG_STATE_HOME', async () => {
    await mkdir(state, { recursive: true, mode: 0o700 });
    return (await stat(state)).uid;
  });
  if (owner !== ownUid()) {
    const text = `${state} belongs to another user (uid ${owner}): use sl as that user, or set XDG_STATE_HOME to a folder of your own`;
    throw new SlError('E_CONTROLLER', text);
  }
  await usable(state, 'XDG_STATE_HOME', () => chmod(state, 0o700));
  await usable(cache, 'XDG_CACHE_HOME', () => mkdir(cache, { recursive: true }));
}

async function usable<T>(path: string, variable: Variable, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    throw unusable(path, variable, cause);
  }
}

/** The error for a folder or file of these that cannot be made or written. */
export function unusable(path: string, variable: Variable, cause: unknown): SlError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const isFull = isOutOfSpace(cause);
  const remedy = isFull ? 'free some space' : 'make it writable for this user';
  const text = `${path} cannot be written (${why}): ${remedy}, or set ${variable} to a folder elsewhere`;
  return new SlError(isFull ? 'E_DISK_FULL' : 'E_CONTROLLER', text, { cause });
}

/** The user that this process runs as; the machine need not have a name for it. */
export function ownUid(): number {
  return process.getuid?.() ?? 0;
}

function base(given: string | undefined, fallback: string): string {
  return given !== undefined && isAbsolute(given) ? given : fallback;
}
