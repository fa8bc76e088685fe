import { type FileHandle, open } from 'node:fs/promises';
import { exec } from '@silverlining/system';

/**
 * An exclusive lock on a file, shared with any process that inherits `descriptor`: the kernel releases it when the last
 * of them is gone, however it went, so there are no stale locks.
 */
export interface FileLock {
  descriptor: number;
  release(): Promise<void>;
}

const BUSY = 75;

/** Takes the lock, waiting for whoever has it; throws SlError E_DEADLINE or E_ABORTED. */
export async function lockFile(path: string, signal: AbortSignal, deadline: number): Promise<FileLock> {
  const handle = await open(path, 'a', 0o600);
  try {
    // flock(2) locks belong to the open file, not to the process: flock(1) takes it and exits, and this handle has it.
    await exec(['flock', '--exclusive', '3'], { descriptors: [handle.fd], signal, deadline });
    return held(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Takes the lock if nobody has it. */
export async function tryLockFile(path: string): Promise<FileLock | undefined> {
  const handle = await open(path, 'a', 0o600);
  const argv = ['flock', '--exclusive', '--nonblock', '--conflict-exit-code', String(BUSY), '3'];
  const { exitCode } = await exec(argv, { descriptors: [handle.fd], allowExit: [BUSY], deadline: 10_000 });
  if (exitCode === 0) return held(handle);
  await handle.close();
  return undefined;
}

/** Runs `work` under the lock. */
export async function withFileLock<T>(
  path: string,
  options: { signal: AbortSignal; deadline: number },
  work: (lock: FileLock) => Promise<T>,
): Promise<T> {
  const lock = await lockFile(path, options.signal, options.deadline);
  try {
    return await work(lock);
  } finally {
    await lock.release();
  }
}

function held(handle: FileHandle): FileLock {
  return { descriptor: handle.fd, release: () => handle.close() };
}
