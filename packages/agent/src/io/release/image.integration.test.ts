import { existsSync } from 'node:fs';
import { appendFile, mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readErofs } from '../../../../../test/fakes/erofs-reader.ts';
import { copiedMounts, NO_MOUNTS } from '../../../../../test/fakes/mounts.ts';
import {
  blobs,
  disk,
  type Files,
  images,
  make,
  materialise,
  packs,
  read,
  receive,
  releaseOf,
  signal,
  start,
  useReleaseDisk,
} from '../../../../../test/fakes/release-disk.ts';
import { contentsOf } from '../../core/release/listing.ts';

const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';

useReleaseDisk();

const filesOf = (tag: string, count = 300): Files =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`app/lib/${i}`, `${tag} ${i} ${'.'.repeat(i * 20)}`]));
const MANY = filesOf('one');

describe('a release of many files that came together', () => {
  it('is an image, and no file of it is made, named or linked', async () => {
    await make(FIRST, { ...MANY, 'config/c': 'secret', 'app/twice': 'one 0 ' });
    expect([[...disk.mounts.points], await images()]).toEqual([[join(disk.paths.releases, FIRST)], [FIRST]]);
    expect([await blobs(), await packs(), await readdir(join(disk.paths.store, 'incoming'))]).toEqual([[], [], []]);
    const inodes = readErofs(await readFile(join(disk.paths.layers, FIRST, 'data')));
    expect(inodes.get('app/lib/7')?.mode).toBe(0o100644);
    expect(inodes.get('config')?.mode).toBe(0o040750);
    expect(inodes.get('config/c')?.mode).toBe(0o100640);
    expect(inodes.get('manifest')).toMatchObject({ mode: 0o100600, uid: 0 });
    expect([await read(FIRST, 'lib/299'), await read(FIRST, 'twice')]).toEqual([MANY['app/lib/299'], 'one 0 ']);
    const listing = await disk.tree.listing(FIRST);
    expect(listing?.text).toBe(releaseOf({ ...MANY, 'config/c': 'secret', 'app/twice': 'one 0 ' }).text);
    expect([await disk.tree.intact(FIRST), disk.warnings]).toEqual([true, []]);
  });

  it('has a layer over it when little changes', async () => {
    await make(FIRST, MANY);
    expect(await make(SECOND, { ...MANY, 'app/main': 'two' })).toBe(1);
    expect([await read(SECOND, 'main'), await read(SECOND, 'lib/7')]).toEqual(['two', MANY['app/lib/7']]);
    await disk.tree.remove(FIRST, new Set());
    expect([await images(), await disk.tree.intact(SECOND)]).toEqual([[FIRST, SECOND], true]);
    await disk.tree.remove(SECOND, new Set());
    expect([await images(), disk.mounts.points.size, await readdir(disk.paths.releases)]).toEqual([[], 0, []]);
  });

  it('takes what it has in common with another from that', async () => {
    await make(FIRST, MANY);
    const next = { ...MANY, ...filesOf('two', 290) };
    expect(await make(SECOND, next)).toBe(290);
    await disk.tree.remove(FIRST, new Set());
    expect(await disk.store.collect(contentsOf([releaseOf(next)]))).toBe(0);
    expect([await images(), await packs()]).toEqual([[SECOND], []]);
    expect([await read(SECOND, 'lib/295'), await read(SECOND, 'lib/5')]).toEqual([
      next['app/lib/295'],
      next['app/lib/5'],
    ]);
  });

  it('takes an empty file from elsewhere like any other', async () => {
    await make(FIRST, { 'app/__init__.py': '' });
    expect(await make(SECOND, { ...MANY, 'app/__init__.py': '' })).toBe(300);
    expect([await images(), await read(SECOND, '__init__.py'), disk.warnings]).toEqual([[SECOND], '', []]);
  });

  it('does not share the file with one that is made at the same time of the same contents', async () => {
    await receive(MANY);
    const names = [FIRST, 'shop.20260131_001', SECOND];
    await Promise.all(names.map((name) => materialise(name, MANY)));
    expect(await images()).toHaveLength(1);
    for (const name of names)
      expect([await disk.tree.intact(name), await read(name, 'lib/299')]).toEqual([true, MANY['app/lib/299']]);
  });

  it('gets a file that was never mounted, as somebody may still stand in an earlier release that had the same', async () => {
    await make(FIRST, MANY);
    const mounted = await open(join(disk.paths.layers, FIRST, 'data'));
    const before = await mounted.readFile();
    await disk.tree.remove(FIRST, new Set());
    expect(await make(SECOND, { ...MANY, 'app/fixed': 'x' })).toBe(1);
    const after = Buffer.alloc(before.length + 1);
    const { bytesRead } = await mounted.read(after, 0, after.length, 0);
    await mounted.close();
    expect(after.subarray(0, bytesRead).equals(before)).toBe(true);
    expect([await images(), await read(SECOND, 'fixed'), await disk.tree.intact(SECOND)]).toEqual([
      [SECOND],
      'x',
      true,
    ]);
    expect((await readdir(join(disk.paths.layers, SECOND))).sort()).toEqual(['contents', 'data', 'shareable']);
  });

  it('is a tree of files where images cannot be mounted, or a script adds to it', async () => {
    await start(NO_MOUNTS);
    await make(FIRST, { ...MANY, 'config/c': 'secret' });
    expect(disk.warnings).toEqual([expect.stringContaining('releases are no images from here on')]);
    expect([await images(), await read(FIRST, 'lib/7')]).toEqual([[], MANY['app/lib/7']]);
    expect((await stat(join(disk.paths.releases, FIRST, 'config/c'))).mode & 0o777).toBe(0o640);
    await start(disk.mounts);
    await receive(filesOf('two'));
    await materialise(SECOND, filesOf('two'), false);
    expect([await images(), await read(SECOND, 'lib/7')]).toEqual([[], filesOf('two')['app/lib/7']]);
    // Their contents are files from here on, so that other releases can link to them.
    await disk.store.collect(contentsOf([releaseOf({ ...MANY, 'config/c': 'secret' }), releaseOf(filesOf('two'))]));
    expect([await packs(), await receive({ ...MANY, ...filesOf('two') })]).toEqual([[], 0]);
    const links = (instance: string) => stat(join(disk.paths.releases, instance, 'app/lib/7')).then((it) => it.nlink);
    expect([await links(FIRST), await links(SECOND)]).toEqual([2, 1]);
  });
});

describe('contents of an image', () => {
  it('need not come again when its staging was taken back, until nobody wants them', async () => {
    await make(FIRST, MANY);
    await disk.tree.remove(FIRST, new Set());
    expect([await make(SECOND, { ...MANY, 'app/fixed': 'x' }), await images()]).toEqual([1, [SECOND]]);
    await disk.tree.remove(SECOND, new Set());
    await disk.store.collect([]);
    expect([await packs(), await receive(MANY)]).toEqual([[], 300]);
  });

  it('need not come again when they were cut off, by the same agent or one that was killed', async () => {
    await receive(MANY, 270);
    expect(await receive({ ...MANY, ...filesOf('two', 5) })).toBe(35);
    const incoming = join(disk.paths.store, 'incoming/1');
    await mkdir(incoming, { recursive: true });
    const [pack = ''] = await packs();
    for (const name of ['data', 'contents']) {
      await writeFile(join(incoming, name), await readFile(join(disk.paths.store, 'packs', pack, name)));
    }
    await rm(join(disk.paths.store, 'packs'), { recursive: true });
    await appendFile(join(incoming, 'contents'), 'cut');
    await start(disk.mounts);
    expect(await make(FIRST, MANY)).toBeLessThan(300);
    expect([await disk.tree.intact(FIRST), await read(FIRST, 'lib/299')]).toEqual([true, MANY['app/lib/299']]);
  });

  it('are not believed after a crash before they have been looked at', async () => {
    await receive(MANY);
    const [pack = ''] = await packs();
    const data = join(disk.paths.store, 'packs', pack, 'data');
    const bytes = await readFile(data);
    await writeFile(data, bytes.fill(0, 4096, 8192));
    await truncate(data, bytes.length - 4096);
    await start(disk.mounts);
    const { files } = releaseOf(MANY).manifest();
    expect(disk.store.lacking(files)).toEqual(files);
    await disk.store.salvage(files, signal);
    expect(disk.store.lacking(files)).toHaveLength(2);
    expect(await make(FIRST, MANY)).toBe(2);
    expect(await disk.tree.intact(FIRST)).toBe(true);
  });
});

describe('an image that was damaged', () => {
  it('is made again of what is right in it, and what comes anew', async () => {
    await make(FIRST, MANY);
    const data = join(disk.paths.layers, FIRST, 'data');
    const bytes = await readFile(data);
    await writeFile(data, bytes.fill(0, 4096, 8192));
    const index = await readFile(join(disk.paths.layers, FIRST, 'contents'), 'utf8');
    await truncate(data, Number(index.trimEnd().split(' ').at(-2)));
    await start(disk.mounts);
    await disk.tree.sweep(new Set([FIRST]));
    await disk.store.verify(releaseOf(MANY).manifest().files, signal);
    expect([await make(FIRST, MANY), await images()]).toEqual([2, [FIRST]]);
    expect([await read(FIRST, 'lib/0'), await read(FIRST, 'lib/99')]).toEqual([MANY['app/lib/0'], MANY['app/lib/99']]);
  });
});

describe('a content of an image that is damaged', () => {
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['that was changed', (bytes) => bytes.fill(0, 4096)],
    ['that was cut off', (bytes) => bytes.subarray(0, 4096)],
  ];
  it.each(damages)('%s comes anew for a release that has it under another name', async (_how, damage) => {
    await make(FIRST, MANY);
    const data = join(disk.paths.layers, FIRST, 'data');
    await writeFile(data, damage(await readFile(data)));
    const next = { ...MANY, 'app/moved': MANY['app/lib/7'] ?? '' };
    await expect(make(SECOND, next)).rejects.toMatchObject({
      code: 'E_MANIFEST',
      message: expect.stringContaining('"app/moved"'),
    });
    expect([await make(SECOND, next), await read(SECOND, 'moved')]).toEqual([1, MANY['app/lib/7']]);
  });
});

describe('a pack', () => {
  it("that a crash cut in its removal is in nobody's way", async () => {
    await mkdir(join(disk.paths.store, 'packs/cut'), { recursive: true });
    await start(disk.mounts);
    await make(FIRST, MANY);
    expect([await disk.store.collect(contentsOf([releaseOf(MANY)])), await packs()]).toEqual([0, []]);
  });
});

describe('after a boot', () => {
  it('images are mounted again, before what lies over them, and their contents are known', async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    disk.mounts = copiedMounts();
    for (const name of [FIRST, SECOND]) await rm(join(disk.paths.releases, name), { recursive: true });
    await start(disk.mounts);
    expect(await disk.tree.sweep(new Set([SECOND]))).toEqual([]);
    expect([...disk.mounts.points].map((it) => it.slice(-3))).toEqual(['001', '002']);
    expect([await read(SECOND, 'main'), await read(SECOND, 'lib/7')]).toEqual(['two', MANY['app/lib/7']]);
    expect(await receive(MANY)).toBe(0);
  });

  it('one that is lost takes down what lies over it, and both are made again', async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await rm(join(disk.paths.layers, FIRST, 'data'));
    disk.mounts = copiedMounts();
    for (const name of [FIRST, SECOND]) await rm(join(disk.paths.releases, name), { recursive: true });
    await start(disk.mounts);
    expect((await disk.tree.sweep(new Set([FIRST, SECOND]))).sort()).toEqual([FIRST, SECOND]);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await make(FIRST, MANY);
    expect([await disk.tree.intact(FIRST), await disk.tree.intact(SECOND)]).toEqual([true, true]);
  });

  it('half-made ones are swept, and what came of them can be used', async () => {
    await make(FIRST, MANY);
    await start(disk.mounts);
    expect(await disk.tree.sweep(new Set())).toEqual([]);
    expect([await images(), disk.mounts.points.size, existsSync(join(disk.paths.releases, FIRST))]).toEqual([
      [],
      0,
      false,
    ]);
    expect(await make(SECOND, MANY)).toBe(0);
  });
});
