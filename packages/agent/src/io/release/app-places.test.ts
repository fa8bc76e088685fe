import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ReleasePaths, releasePaths } from '../../core/release/paths.ts';
import type { AppPlaces } from '../../release-ports.ts';
import { createAppPlaces } from './app-places.ts';

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
let root: string;
let paths: ReleasePaths;
let places: AppPlaces;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-places-'));
  paths = releasePaths(root);
  places = createAppPlaces({ paths, ensureAccount: async () => me });
});
afterEach(() => rmSync(root, { recursive: true }));

const temp = (instance: string) => join(paths.tmp, 'blog', instance);
const placesOf = (instance: string) => ({ env: join(paths.env, `${instance}.env`), temp: temp(instance) });
const make = (instance: string) => places.ensureFolders({ temp: temp(instance), logs: join(root, 'logs'), user: 'u' });

it('gives an instance an empty TEMP of its own, and takes it away', async () => {
  await make('blog.1');
  await make('blog.2');
  writeFileSync(join(temp('blog.1'), 'left'), '');
  await make('blog.1');
  expect([readdirSync(temp('blog.1')), statSync(temp('blog.1')).mode & 0o777]).toEqual([[], 0o700]);
  writeFileSync(join(temp('blog.1'), 'left'), '');
  await places.remove(placesOf('blog.1'));
  expect(readdirSync(join(paths.tmp, 'blog'))).toEqual(['blog.2']);
  await places.sweep(new Set());
  expect(readdirSync(paths.tmp)).toEqual([]);
  await places.remove(placesOf('blog.2'));
});

it('follows no link that an app puts there while its TEMP is removed', async () => {
  await make('blog.1');
  const [folder, elsewhere] = [join(temp('blog.1'), 'folder'), join(root, 'elsewhere')];
  // So deep that nobody is at its end when the file at its start is gone.
  const deep = 'd/'.repeat(300);
  for (const it of [folder, elsewhere]) {
    mkdirSync(join(it, deep), { recursive: true });
    for (const file of ['file', `${deep}file`]) writeFileSync(join(it, file), '');
  }
  const removed = places.remove(placesOf('blog.1')).catch(() => undefined);
  while (existsSync(join(folder, 'file'))) await setImmediate();
  try {
    renameSync(folder, `${folder}.1`);
    symlinkSync(elsewhere, folder);
  } catch {
    // It is gone already.
  }
  await removed;
  expect([deep, ''].map((it) => existsSync(join(elsewhere, it, 'file')))).toEqual([true, true]);
});
