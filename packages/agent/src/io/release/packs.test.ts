import fs, { existsSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterEach, expect, it, vi } from 'vitest';
import { disk, type Files, make, materialise, start, useReleaseDisk } from '../../../../../test/fakes/release-disk.ts';

useReleaseDisk();
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** So many that they come in one file. */
const MANY: Files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`app/lib/${i}`, `content ${i}`]));

function openInStore(): string[] {
  const targets = readdirSync('/proc/self/fd').map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // That of the folder itself, which is closed by now.
      return '';
    }
  });
  return targets.filter((it) => it.startsWith(disk.paths.store));
}

it('a content for which there is no room when it becomes a file takes none after that', async () => {
  await make('blog.20260131_001', MANY);
  vi.spyOn(fs, 'writeSync').mockImplementation(() => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  await expect(materialise('blog.20260131_002', MANY, false)).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  expect(openInStore()).toEqual([]);
});

it('an agent starts where there is no room to keep what an interruption left, and makes some', async () => {
  const incoming = `${disk.paths.store}/incoming`;
  const batch = `${incoming}/cut`;
  mkdirSync(batch, { recursive: true });
  for (const name of ['data', 'contents', `0-${'a'.repeat(64)}`]) writeFileSync(`${batch}/${name}`, '');
  const full = () => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  vi.spyOn(fs, 'renameSync').mockImplementation(full);
  vi.spyOn(fs, 'mkdirSync').mockImplementation((path) => (existsSync(path) ? undefined : full()));
  syncBuiltinESMExports();
  await start(disk.mounts);
  expect([existsSync(incoming), readdirSync(`${disk.paths.store}/packs`)]).toEqual([false, []]);
});
