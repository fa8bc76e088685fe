import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ManifestFile } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { archiveOf } from '../../../../../test/builders/tar-archive.ts';
import { readErofs } from '../../../../../test/fakes/erofs-reader.ts';
import { copiedMounts, NO_MOUNTS } from '../../../../../test/fakes/mounts.ts';
import { contentsOf, type Listing } from '../../core/release/listing.ts';
import { type ReleasePaths, releasePaths } from '../../core/release/paths.ts';
import type { ReleaseTree } from '../../release-ports.ts';
import { type DiskContentStore, openContentStore } from './content-store.ts';
import type { Mounts } from './mounts.ts';
import { createReleaseTree } from './release-tree.ts';

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const signal = new AbortController().signal;
const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';

let root: string;
let paths: ReleasePaths;
let store: DiskContentStore;
let mounts: ReturnType<typeof copiedMounts>;
let tree: ReleaseTree;
let warnings: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-image-'));
  paths = releasePaths(root);
  mounts = copiedMounts();
  await start(mounts);
});
afterEach(() => rm(root, { recursive: true }));

/** As an agent does that begins, or begins again. */
async function start(these: Mounts): Promise<void> {
  warnings = [];
  store = await openContentStore(paths.store, async () => me);
  const owners = async () => ({ release: me, config: me });
  tree = createReleaseTree({ paths, store, owners, mounts: these, warn: (text) => warnings.push(text) });
}

/** Text by path. */
type Files = Record<string, string>;

const filesOf = (tag: string, count = 300): Files =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`app/lib/${i}`, `${tag} ${i} ${'.'.repeat(i * 20)}`]));
const MANY = filesOf('one');

function releaseOf(files: Files): Listing {
  const listed = Object.entries(files).map(([path, text]): ManifestFile => {
    const sha256 = createHash('sha256').update(text).digest('hex');
    return { path, mode: 0o644, size: Buffer.byteLength(text), sha256 };
  });
  return listingOf(listed);
}

/** Takes in what is missing, or the first part of it; returns how many files that were. */
async function receive(files: Files, part?: number): Promise<number> {
  const listing = releaseOf(files);
  const { files: listed } = listing.manifest();
  await store.salvage(listed, signal);
  const missing = store.lacking(listed);
  if (missing.length === 0) return 0;
  const sent = missing.slice(0, part).map(({ path }) => ({ path, content: files[path] ?? '' }));
  const input = Readable.from([archiveOf(sent)]);
  await store.receive(input, { listing, missing }, signal).catch((error: unknown) => {
    if (part === undefined) throw error;
  });
  return sent.length;
}

const materialise = (instance: string, files: Files, shareable = true) =>
  tree.materialise({ instance, listing: releaseOf(files), support: { wrap: instance }, group: 'app-blog', shareable });

async function make(instance: string, files: Files): Promise<number> {
  const received = await receive(files);
  await materialise(instance, files);
  return received;
}

const read = (instance: string, path: string) => readFile(join(paths.www, instance, path), 'utf8');
const images = async () => (await readdir(paths.layers).catch(() => [])).filter((name) => name !== '.whiteout');
const blobs = async () => (await readdir(paths.store)).filter((name) => /^[0-9a-f]{2}$/.test(name));
const packs = () => readdir(join(paths.store, 'packs'));

describe('a release of many files that came together', () => {
  it('is an image, and no file of it is made, named or linked', async () => {
    await make(FIRST, { ...MANY, 'config/c': 'secret', 'app/twice': 'one 0 ' });
    expect([[...mounts.points], await images()]).toEqual([[join(paths.releases, FIRST)], [FIRST]]);
    expect([await blobs(), await packs(), await readdir(join(paths.store, 'incoming'))]).toEqual([[], [], []]);
    const inodes = readErofs(await readFile(join(paths.layers, FIRST, 'data')));
    expect(inodes.get('app/lib/7')?.mode).toBe(0o100644);
    expect(inodes.get('config')?.mode).toBe(0o040750);
    expect(inodes.get('config/c')?.mode).toBe(0o100640);
    expect(inodes.get('manifest')).toMatchObject({ mode: 0o100600, uid: 0 });
    expect([await read(FIRST, 'lib/299'), await read(FIRST, 'twice')]).toEqual([MANY['app/lib/299'], 'one 0 ']);
    const listing = await tree.listing(FIRST);
    expect(listing?.text).toBe(releaseOf({ ...MANY, 'config/c': 'secret', 'app/twice': 'one 0 ' }).text);
    expect([await tree.intact(FIRST), warnings]).toEqual([true, []]);
  });

  it('has a layer over it when little changes', async () => {
    await make(FIRST, MANY);
    expect(await make(SECOND, { ...MANY, 'app/main': 'two' })).toBe(1);
    expect([await read(SECOND, 'main'), await read(SECOND, 'lib/7')]).toEqual(['two', MANY['app/lib/7']]);
    await tree.remove(FIRST);
    expect([await images(), await tree.intact(SECOND)]).toEqual([[FIRST, SECOND], true]);
    await tree.remove(SECOND);
    expect([await images(), mounts.points.size, await readdir(paths.releases)]).toEqual([[], 0, []]);
  });

  it('takes what it has in common with another from that', async () => {
    await make(FIRST, MANY);
    const next = { ...MANY, ...filesOf('two', 290) };
    expect(await make(SECOND, next)).toBe(290);
    await tree.remove(FIRST);
    expect(await store.collect(contentsOf([releaseOf(next)]))).toBe(0);
    expect([await images(), await packs()]).toEqual([[SECOND], []]);
    expect([await read(SECOND, 'lib/295'), await read(SECOND, 'lib/5')]).toEqual([
      next['app/lib/295'],
      next['app/lib/5'],
    ]);
  });

  it('takes an empty file from elsewhere like any other', async () => {
    await make(FIRST, { 'app/__init__.py': '' });
    expect(await make(SECOND, { ...MANY, 'app/__init__.py': '' })).toBe(300);
    expect([await images(), await read(SECOND, '__init__.py'), warnings]).toEqual([[SECOND], '', []]);
  });

  it('does not share the file with one that is made at the same time of the same contents', async () => {
    await receive(MANY);
    const names = [FIRST, 'shop.20260131_001', SECOND];
    await Promise.all(names.map((name) => materialise(name, MANY)));
    expect(await images()).toHaveLength(1);
    for (const name of names)
      expect([await tree.intact(name), await read(name, 'lib/299')]).toEqual([true, MANY['app/lib/299']]);
  });

  it('is a tree of files where images cannot be mounted, or a script adds to it', async () => {
    await start(NO_MOUNTS);
    await make(FIRST, { ...MANY, 'config/c': 'secret' });
    expect(warnings).toEqual([expect.stringContaining('releases are no images from here on')]);
    expect([await images(), await read(FIRST, 'lib/7')]).toEqual([[], MANY['app/lib/7']]);
    expect((await stat(join(paths.releases, FIRST, 'config/c'))).mode & 0o777).toBe(0o640);
    await start(mounts);
    await receive(filesOf('two'));
    await materialise(SECOND, filesOf('two'), false);
    expect([await images(), await read(SECOND, 'lib/7')]).toEqual([[], filesOf('two')['app/lib/7']]);
    // Their contents are files from here on, so that other releases can link to them.
    await store.collect(contentsOf([releaseOf({ ...MANY, 'config/c': 'secret' }), releaseOf(filesOf('two'))]));
    expect([await packs(), await receive({ ...MANY, ...filesOf('two') })]).toEqual([[], 0]);
    expect((await stat(join(paths.releases, SECOND, 'app/lib/7'))).nlink).toBe(2);
  });
});

describe('contents of an image', () => {
  it('need not come again when its staging was taken back, until nobody wants them', async () => {
    await make(FIRST, MANY);
    await tree.remove(FIRST);
    expect([await make(SECOND, { ...MANY, 'app/fixed': 'x' }), await images()]).toEqual([1, [SECOND]]);
    await tree.remove(SECOND);
    await store.collect([]);
    expect([await packs(), await receive(MANY)]).toEqual([[], 300]);
  });

  it('need not come again when they were cut off, by the same agent or one that was killed', async () => {
    await receive(MANY, 270);
    expect(await receive({ ...MANY, ...filesOf('two', 5) })).toBe(35);
    const incoming = join(paths.store, 'incoming/1');
    await mkdir(incoming, { recursive: true });
    const [pack = ''] = await packs();
    for (const name of ['data', 'contents']) {
      await writeFile(join(incoming, name), await readFile(join(paths.store, 'packs', pack, name)));
    }
    await rm(join(paths.store, 'packs'), { recursive: true });
    await appendFile(join(incoming, 'contents'), 'cut');
    await start(mounts);
    expect(await make(FIRST, MANY)).toBeLessThan(300);
    expect([await tree.intact(FIRST), await read(FIRST, 'lib/299')]).toEqual([true, MANY['app/lib/299']]);
  });

  it('are not believed after a crash before they have been looked at', async () => {
    await receive(MANY);
    const [pack = ''] = await packs();
    const data = join(paths.store, 'packs', pack, 'data');
    const bytes = await readFile(data);
    await writeFile(data, bytes.fill(0, 4096, 8192));
    await truncate(data, bytes.length - 4096);
    await start(mounts);
    const { files } = releaseOf(MANY).manifest();
    expect(store.lacking(files)).toEqual(files);
    await store.salvage(files, signal);
    expect(store.lacking(files)).toHaveLength(2);
    expect(await make(FIRST, MANY)).toBe(2);
    expect(await tree.intact(FIRST)).toBe(true);
  });
});

describe('a pack', () => {
  it("that a crash cut in its removal is in nobody's way", async () => {
    await mkdir(join(paths.store, 'packs/cut'), { recursive: true });
    await start(mounts);
    await make(FIRST, MANY);
    expect([await store.collect(contentsOf([releaseOf(MANY)])), await packs()]).toEqual([0, []]);
  });
});

describe('after a boot', () => {
  it('images are mounted again, before what lies over them, and their contents are known', async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    mounts = copiedMounts();
    for (const name of [FIRST, SECOND]) await rm(join(paths.releases, name), { recursive: true });
    await start(mounts);
    expect(await tree.sweep(new Set([SECOND]))).toEqual([]);
    expect([...mounts.points].map((it) => it.slice(-3))).toEqual(['001', '002']);
    expect([await read(SECOND, 'main'), await read(SECOND, 'lib/7')]).toEqual(['two', MANY['app/lib/7']]);
    expect(await receive(MANY)).toBe(0);
  });

  it('one that is lost takes down what lies over it, and both are made again', async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await rm(join(paths.layers, FIRST, 'data'));
    mounts = copiedMounts();
    for (const name of [FIRST, SECOND]) await rm(join(paths.releases, name), { recursive: true });
    await start(mounts);
    expect((await tree.sweep(new Set([FIRST, SECOND]))).sort()).toEqual([FIRST, SECOND]);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await make(FIRST, MANY);
    expect([await tree.intact(FIRST), await tree.intact(SECOND)]).toEqual([true, true]);
  });

  it('half-made ones are swept, and what came of them can be used', async () => {
    await make(FIRST, MANY);
    await start(mounts);
    expect(await tree.sweep(new Set())).toEqual([]);
    expect([await images(), mounts.points.size, existsSync(join(paths.releases, FIRST))]).toEqual([[], 0, false]);
    expect(await make(SECOND, MANY)).toBe(0);
  });
});
