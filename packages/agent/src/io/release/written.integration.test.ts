/** What a release takes on disk is what is said before that it takes. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NO_MOUNTS } from '../../../../../test/fakes/mounts.ts';
import {
  disk,
  type Files,
  make,
  materialise,
  receive,
  releaseOf,
  start,
  useReleaseDisk,
} from '../../../../../test/fakes/release-disk.ts';
import { spaceNeeded } from '../../core/release/space.ts';

const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';
const BLOCK = 4096;
/** Lists of files, and what marks a tree. */
const BESIDE = 256 << 10;

useReleaseDisk();

/** So many that they come in one file. */
const filesOf = (tag: string, count = 260, size = 5000): Files =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`app/${tag}/${i}`, `${tag} ${i} ${'.'.repeat(size)}`]));
const FEW = filesOf('one', 20, 20_000);

/** Bytes of files of the store and of releases, without what mounts show. Not the blocks: some file systems count them later. */
function taken(): number {
  const { paths, mounts } = disk;
  const sizes = new Map<number, number>();
  const look = (path: string): void => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === false) sizes.set(found.ino, Math.ceil(found.size / BLOCK) * BLOCK);
    else if (found !== undefined && !mounts.points.has(path))
      for (const name of readdirSync(path)) look(join(path, name));
  };
  for (const folder of [paths.store, paths.layers, paths.releases]) look(folder);
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

async function expectSaid(instance: string, files: Files, isCopied = false): Promise<void> {
  const { store, tree } = disk;
  const listing = releaseOf(files);
  const missing = store.lacking(listing.manifest().files);
  const isLayer = tree.isLayer(listing);
  const need = spaceNeeded({ listing, missing, isLayer, isCopied, takesImages: tree.takesImages() }).bytes;
  const before = taken();
  await receive(files);
  await materialise(instance, files, !isCopied);
  const written = taken() - before;
  expect(written).toBeGreaterThan(need * 0.9);
  expect(written).toBeLessThan(need + BESIDE);
}

/** As on any node that had a large release since the agent began. */
async function findOutThatNothingMounts(): Promise<void> {
  await start(NO_MOUNTS);
  await make(FIRST, filesOf('one'));
}

it.each<[string, Files]>([
  ['of an image', filesOf('one')],
  ['of links', { ...FEW, 'config/c': 'c'.repeat(100_000) }],
])('%s', (_what, files) => expectSaid(FIRST, files));

it('of links where images cannot be mounted', async () => {
  await findOutThatNothingMounts();
  await expectSaid(SECOND, { ...filesOf('two'), 'config/c': 'c'.repeat(100_000) });
});

it('of links of which some are there, where images cannot be mounted', async () => {
  await findOutThatNothingMounts();
  await expectSaid(SECOND, { ...filesOf('one', 100), ...filesOf('two') });
});

it('of links that are all there', async () => {
  await findOutThatNothingMounts();
  await expectSaid(SECOND, { ...filesOf('one'), 'app/new': 'x'.repeat(500_000) });
});

it.each<[string, Files]>([
  ['a few', FEW],
  ['many', filesOf('one')],
])('of copies of %s files', (_what, files) => expectSaid(FIRST, files, true));

it('of copies of files that are there', async () => {
  await make(FIRST, FEW);
  await expectSaid(SECOND, FEW, true);
});
