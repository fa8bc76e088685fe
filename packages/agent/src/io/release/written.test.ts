/** What a release takes on disk is what is said before that it takes. */
import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NO_MOUNTS } from '../../../../../test/fakes/mounts.ts';
import {
  disk,
  type Files,
  make,
  packs,
  receive,
  releaseOf,
  start,
  useReleaseDisk,
} from '../../../../../test/fakes/release-disk.ts';
import { partsOf, spaceNeeded } from '../../core/release/space.ts';

const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';
/** Lists of files, and what marks a tree. */
const BESIDE = 256 << 10;

useReleaseDisk();

const filesOf = (tag: string): Files =>
  Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`app/${i}`, `${tag} ${i} ${'.'.repeat(20_000)}`]));

/** Bytes of the store and of releases, without what mounts show. */
async function taken(): Promise<number> {
  const { paths, mounts } = disk;
  const inodes = new Map<number, Stats>();
  const look = async (path: string): Promise<void> => {
    const it = await lstat(path);
    inodes.set(it.ino, it);
    if (!it.isDirectory() || mounts.points.has(path)) return;
    for (const name of await readdir(path)) await look(join(path, name));
  };
  for (const folder of [paths.store, paths.layers, paths.releases]) await look(folder).catch(() => undefined);
  return [...inodes.values()].reduce((sum, it) => sum + it.blocks * 512, 0);
}

function said(files: Files, shareable: boolean): number {
  const { store, tree } = disk;
  const listing = releaseOf(files);
  const missing = store.lacking(listing.manifest().files);
  const form = tree.form({ listing, missing, shareable });
  const packed = form === 'image' ? [] : store.packed(partsOf(listing, form).files);
  return spaceNeeded({ listing, missing, packed, form }).bytes;
}

async function expectSaid(instance: string, files: Files, shareable = true): Promise<void> {
  const need = said(files, shareable);
  const before = await taken();
  await make(instance, files, shareable);
  const written = (await taken()) - before;
  expect(written).toBeGreaterThan(need * 0.9);
  expect(written).toBeLessThan(need + BESIDE);
}

it('of an image', () => expectSaid(FIRST, filesOf('one')));

it('of links, where images turned out not to be mountable', async () => {
  await start(NO_MOUNTS);
  await make(FIRST, filesOf('one'));
  await disk.tree.remove(FIRST, new Set());
  await disk.store.collect([]);
  await expectSaid(SECOND, filesOf('two'));
  expect(await packs()).toEqual([]);
});

it('of links, where a node that cannot mount images has what came for one', async () => {
  await receive(filesOf('one'));
  await start(NO_MOUNTS);
  await disk.store.salvage(releaseOf(filesOf('one')).manifest().files, new AbortController().signal);
  await expectSaid(FIRST, filesOf('one'));
});

it('of copies, where a script adds to it', async () => {
  await expectSaid(FIRST, filesOf('one'), false);
  expect(await packs()).toEqual([]);
});

it('of copies of what is in an image', async () => {
  await make(FIRST, filesOf('one'));
  await expectSaid(SECOND, filesOf('one'), false);
});
