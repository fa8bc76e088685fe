/** Releases that are mounts, where something is in the way of that. */
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  disk,
  type Files,
  make,
  materialise,
  me,
  read,
  receive,
  releaseOf,
  start,
  useReleaseDisk,
} from '../../../../../test/fakes/release-disk.ts';
import { writeImage } from './image.ts';
import { Pack } from './pack.ts';

const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';
const THIRD = 'blog.20260131_003';
const MANY: Files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`app/lib/${i}`, `content ${i}`]));

useReleaseDisk();

describe('a layer', () => {
  it.each<[string, Files, Files]>([
    ['a file became a folder', { 'app/util': 'x' }, { 'app/util/index': 'x' }],
    ['a folder became a file', { 'app/util/index': 'x' }, { 'app/util': 'x' }],
  ])('is made where %s', async (_what, before, after) => {
    await make(FIRST, { ...MANY, ...before });
    await make(SECOND, { ...MANY, ...after });
    expect([disk.warnings, disk.mounts.points.has(join(disk.paths.releases, SECOND))]).toEqual([[], true]);
    const [path = ''] = Object.keys(after);
    expect([await read(SECOND, path.slice('app/'.length)), await disk.tree.intact(SECOND)]).toEqual(['x', true]);
  });

  it('is made where a link to a folder with the same names took the place of one', async () => {
    const files = { ...MANY, 'app/a/x': 'x', 'app/b/x': 'x' };
    await make(FIRST, files);
    const listing = releaseOf(files).with({ files: [], links: [{ path: 'app/a', target: 'b' }], removed: ['app/a/x'] });
    await disk.tree.materialise({
      instance: SECOND,
      listing,
      support: {},
      group: 'app-blog',
      shareable: true,
      brought: 0,
    });
    expect([disk.warnings, disk.mounts.points.has(join(disk.paths.releases, SECOND))]).toEqual([[], true]);
  });

  it('is not looked for where most of a release came with it', async () => {
    await make(FIRST, MANY);
    await materialise(SECOND, MANY, true, 299);
    expect([disk.warnings, disk.mounts.points.has(join(disk.paths.releases, SECOND))]).toEqual([[], false]);
  });

  it.each<[string, Error, string | undefined]>([
    ['a full disk', Object.assign(new Error('no space'), { code: 'ENOSPC' }), 'E_DISK_FULL'],
    ['anything but the mount', new Error('the disk does not answer'), undefined],
  ])('that fails for %s is no reason to make no more of them', async (_what, failure, code) => {
    const { mounts } = disk;
    let fails = true;
    const makeWhiteout = (path: string) => (fails ? Promise.reject(failure) : mounts.makeWhiteout(path));
    await start({ ...mounts, makeWhiteout });
    await make(FIRST, MANY);
    const made = await make(SECOND, { ...MANY, 'app/main': 'two' }).catch((error: unknown) => error);
    expect(made).toEqual(code === undefined ? 1 : expect.objectContaining({ code }));
    fails = false;
    await make(THIRD, { ...MANY, 'app/main': 'three' });
    expect(mounts.points.has(join(disk.paths.releases, THIRD))).toBe(true);
  });
});

describe('an image', () => {
  const files = { 'app/large': 'x'.repeat(300_000) };
  const listed = releaseOf(files).manifest();

  /** Of what stands in the store as a file. */
  async function write(data: string): Promise<void> {
    const pack = Pack.received(disk.paths.tmp, new Map());
    await mkdir(pack.folder, { recursive: true });
    await symlink(data, pack.data);
    const release = { manifest: listed, support: {} };
    await writeImage({ pack, release, own: {}, store: disk.store, owners: { release: me, config: me } });
  }

  it('asks anew for a content that is gone', async () => {
    await receive(files);
    for (const file of listed.files) await rm(disk.store.locate(file).path);
    await writeFile(join(disk.paths.store, 'data'), '');
    await expect(write(join(disk.paths.store, 'data'))).rejects.toMatchObject({ code: 'E_MANIFEST' });
    expect(disk.store.lacking(listed.files)).toEqual(listed.files);
  });

  it('keeps a content that the disk has no room for once more', async () => {
    await receive(files);
    await expect(write('/dev/full')).rejects.toMatchObject({ code: 'E_DISK_FULL' });
    expect(disk.store.lacking(listed.files)).toEqual([]);
  });
});
