import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFile, tryLockFile, withFileLock } from './file-lock.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-lock-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('file locks', () => {
  it('keep others out until they are released', async () => {
    const path = join(directory, 'lock');
    await withFileLock(path, { signal: AbortSignal.timeout(5_000), deadline: 5_000 }, async () => {
      expect(await tryLockFile(path)).toBeUndefined();
      const waiting = lockFile(path, AbortSignal.timeout(5_000), 50);
      await expect(waiting).rejects.toMatchObject({ code: 'E_DEADLINE' });
    });
    const lock = await tryLockFile(path);
    expect(lock).toBeDefined();
    await lock?.release();
  });

  it('are released when the work fails', async () => {
    const path = join(directory, 'lock');
    const failing = withFileLock(path, { signal: AbortSignal.timeout(5_000), deadline: 5_000 }, async () => {
      throw new Error('broken');
    });
    await expect(failing).rejects.toThrow('broken');
    await (await lockFile(path, AbortSignal.timeout(5_000), 5_000)).release();
  });
});
