import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
