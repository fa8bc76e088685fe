import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { removeTree } from './remove-tree.ts';

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-tree-'));
  folder = join(root, 'folder');
});
afterEach(() => rmSync(root, { recursive: true }));

it('removes files, links and folders, and nothing where there is nothing', async () => {
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  writeFileSync(join(folder, 'a/b/file'), '');
  symlinkSync('folder', join(root, 'link'));
  for (const path of ['link', 'folder', 'folder', 'folder/below']) await removeTree(join(root, path));
  expect(readdirSync(root)).toEqual([]);
});

it('needs no program for a folder with nothing in it', async () => {
  vi.stubEnv('PATH', '/none');
  onTestFinished(() => void vi.unstubAllEnvs());
  mkdirSync(join(folder, 'inner'), { recursive: true });
  await expect(removeTree(folder)).rejects.toMatchObject({ code: 'E_RESOURCE' });
  await removeTree(join(folder, 'inner'));
  expect(readdirSync(folder)).toEqual([]);
});

it('follows no link that somebody puts there meanwhile', async () => {
  const [inner, elsewhere] = [join(folder, 'inner'), join(root, 'elsewhere')];
  const files = Array.from({ length: 2_000 }, (_, i) => `${i}`);
  for (const it of [inner, elsewhere]) {
    mkdirSync(it, { recursive: true });
    for (const file of files) writeFileSync(join(it, file), '');
  }
  const removed = removeTree(folder).catch(() => undefined);
  try {
    while (readdirSync(inner).length === files.length) await setImmediate();
    renameSync(inner, `${inner}.1`);
    symlinkSync(elsewhere, inner);
  } catch {
    // It is gone already.
  }
  await removed;
  expect(readdirSync(elsewhere)).toHaveLength(files.length);
});

it('removes nothing of what is mounted below, and says where that is', async () => {
  mkdirSync(join(folder, 'my disk'), { recursive: true });
  writeFileSync(join(folder, 'my disk/data'), '');
  const mountinfo = join(root, 'mountinfo');
  writeFileSync(
    mountinfo,
    `36 35 8:1 / / rw - ext4 /dev/sda1 rw\n99 36 8:2 / ${folder}/my\\040disk rw - ext4 /dev/sdb rw\n`,
  );
  await expect(removeTree(folder, mountinfo)).rejects.toThrow(/mounted at .*folder\/my\\040disk/);
  expect(existsSync(join(folder, 'my disk/data'))).toBe(true);
});
