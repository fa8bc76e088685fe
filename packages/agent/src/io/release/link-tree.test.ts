import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { disk, make, receive, useReleaseDisk } from '../../../../../test/fakes/release-disk.ts';

useReleaseDisk();

it.each(['EIO', 'ENOENT'])('a content that the disk does not give any more, with %s, comes anew', async (code) => {
  const files = { 'config/c': 'secret', 'app/a': 'text' };
  await receive(files);
  const error = Object.assign(new Error(`${code}: copyfile`), { code });
  vi.spyOn(fs, 'copyFileSync').mockImplementationOnce(() => {
    throw error;
  });
  syncBuiltinESMExports();
  onTestFinished(() => {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
  });
  const failed = { code: 'E_MANIFEST', message: expect.stringContaining('"config/c"'), cause: error };
  await expect(make('blog.20260131_001', files)).rejects.toMatchObject(failed);
  expect(await make('blog.20260131_001', files)).toBe(1);
  expect(fs.readFileSync(join(disk.paths.releases, 'blog.20260131_001/config/c'), 'utf8')).toBe('secret');
});
