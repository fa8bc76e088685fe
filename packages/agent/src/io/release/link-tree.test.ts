import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { CHUNKED_FROM } from '@silverlining/protocol';
import { expect, it, onTestFinished, vi } from 'vitest';
import { disk, make, materialise, receive, useReleaseDisk } from '../../../../../test/fakes/release-disk.ts';

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

it('a large content is copied while the agent goes on, and comes anew when the disk does not give it', async () => {
  const files = { 'app/large': 'x'.repeat(CHUNKED_FROM) };
  const instance = 'blog.20260131_001';
  await receive(files);
  const error = Object.assign(new Error('EIO: copyfile'), { code: 'EIO' });
  const copy = vi.spyOn(fs.promises, 'copyFile').mockRejectedValueOnce(error);
  onTestFinished(() => copy.mockRestore());
  await expect(materialise(instance, files, false)).rejects.toMatchObject({ code: 'E_MANIFEST', cause: error });
  expect(await receive(files)).toBe(1);
  await materialise(instance, files, false);
  expect(copy).toHaveBeenCalledTimes(2);
  const path = join(disk.paths.releases, instance, 'app/large');
  expect([fs.readFileSync(path, 'utf8'), fs.statSync(path).mode & 0o777]).toEqual([files['app/large'], 0o644]);
});
