import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Manifest, ManifestFile } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { archiveOf } from '../../../../../test/builders/tar-archive.ts';
import { copiedMounts, NO_MOUNTS } from '../../../../../test/fakes/mounts.ts';
import { type ReleasePaths, releasePaths } from '../../core/release/paths.ts';
import type { ReleaseTree } from '../../release-ports.ts';
import { type DiskContentStore, openContentStore } from './content-store.ts';
import type { Mounts } from './mounts.ts';
import { createReleaseTree } from './release-tree.ts';

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const signal = new AbortController().signal;
const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';
const THIRD = 'blog.20260131_003';

let root: string;
let paths: ReleasePaths;
let store: DiskContentStore;
let mounts: ReturnType<typeof copiedMounts>;
let tree: ReleaseTree;
let warnings: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-tree-'));
  paths = releasePaths(root);
  store = await openContentStore(paths.store, async () => me);
  mounts = copiedMounts();
  tree = treeWith(mounts);
});
afterEach(() => rmSync(root, { recursive: true }));

function treeWith(these: Mounts): ReleaseTree {
  warnings = [];
  const owners = async () => ({ release: me, config: me });
  return createReleaseTree({ paths, store, owners, mounts: these, warn: (text) => warnings.push(text) });
}

/** Text by path. */
type Files = Record<string, string>;

/** A release of many files, most of them in `lib`. */
const MANY: Files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`app/lib/${i}`, `content ${i % 7}`]));

async function make(instance: string, files: Files, shareable = true): Promise<Manifest> {
  const listed = Object.entries(files).map(([path, text]): ManifestFile => {
    const sha256 = createHash('sha256').update(text).digest('hex');
    return { path, mode: 0o644, size: Buffer.byteLength(text), sha256 };
  });
  const listing = listingOf(listed);
  const manifest = listing.manifest();
  const missing = store.lacking(manifest.files);
  const entries = missing.map(({ path }) => ({ path, content: files[path] ?? '' }));
  await store.receive(Readable.from([archiveOf(entries)]), { listing, missing }, signal);
  const support = { 'wrap.py': instance };
  await tree.materialise({ instance, listing, support, group: 'app-blog', shareable, brought: missing.length });
  return manifest;
}

const read = (instance: string, path: string) => readFile(join(paths.www, instance, path), 'utf8');
const left = async () => [await readdir(paths.releases), (await readdir(paths.layers)).filter((it) => it[0] !== '.')];
const units = async () => (await readdir(paths.units)).filter((it) => it.endsWith('.mount'));

describe('a release that differs little from the one before', () => {
  it('is a layer of what differs, and reads like any other', async () => {
    await make(FIRST, { ...MANY, 'app/main': 'one', 'app/old/a': 'x', 'app/old/b': 'x', 'config/c': 'c' });
    const manifest = await make(SECOND, { ...MANY, 'app/main': 'two', 'app/new/a': 'y', 'config/c': 'c' });
    expect([...mounts.points]).toEqual([join(paths.releases, SECOND)]);
    expect([await read(FIRST, 'main'), await read(SECOND, 'main')]).toEqual(['one', 'two']);
    expect(await read(SECOND, 'lib/7')).toBe('content 0');
    expect((await readdir(join(paths.www, SECOND))).sort()).toEqual(['lib', 'main', 'new']);
    expect(await readFile(join(paths.releases, SECOND, 'support/wrap.py'), 'utf8')).toBe(SECOND);
    expect(await readdir(join(paths.layers, SECOND, 'tree/app'))).toEqual(['main', 'new', 'old']);
    expect((await tree.listing(SECOND))?.manifest()).toEqual(manifest);
    expect([await tree.intact(FIRST), await tree.intact(SECOND)]).toEqual([true, true]);
  });

  it('costs no link to a file that did not change', async () => {
    await make(FIRST, { ...MANY, 'app/main': 'one' });
    const inStore = (file: ManifestFile) => stat(store.locate(file).path).then((it) => it.nlink);
    const manifest = await make(SECOND, { ...MANY, 'app/main': 'two' });
    const unchanged = manifest.files.filter((it) => it.path !== 'app/main');
    const links = await Promise.all([...new Map(unchanged.map((it) => [it.sha256, it])).values()].map(inStore));
    expect(links.reduce((sum, n) => sum + n - 1, 0)).toBe(300);
  });

  it('may be described by what differs from another layer', async () => {
    await make(FIRST, { ...MANY, 'app/main': 'one' });
    await make(SECOND, { ...MANY, 'app/main': 'two', 'app/new': 'y' });
    const listing = (await tree.listing(SECOND))?.with({ files: [], links: [], removed: ['app/new', 'app/lib/3'] });
    if (listing === undefined) expect.unreachable();
    expect(tree.isLayer(listing)).toBe(true);
    await tree.materialise({ instance: THIRD, listing, support: {}, group: 'app-blog', shareable: true, brought: 0 });
    expect(JSON.parse(await readFile(join(paths.layers, THIRD, 'layer.json'), 'utf8'))).toMatchObject({
      base: FIRST,
      changes: { files: [{ path: 'app/main' }], removed: ['app/lib/3'] },
    });
    expect([existsSync(join(paths.www, THIRD, 'new')), existsSync(join(paths.www, THIRD, 'lib/3'))]).toEqual([
      false,
      false,
    ]);
    expect((await tree.listing(THIRD))?.text).toBe(listing.text);
  });

  it('can lie over what an earlier agent wrote', async () => {
    const manifest = await make(FIRST, { ...MANY, 'app/main': 'one' });
    await rm(join(paths.releases, FIRST, 'manifest'));
    await writeFile(join(paths.releases, FIRST, 'manifest.json'), JSON.stringify(manifest));
    expect((await tree.listing(FIRST))?.manifest()).toEqual(manifest);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    expect([(await left())[1], await tree.intact(FIRST), await tree.intact(SECOND)]).toEqual([[SECOND], true, true]);
  });

  it('stays whole when the release below it is removed, which goes with the last layer', async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await make(THIRD, { ...MANY, 'app/main': 'three' });
    await tree.remove(FIRST, new Set([SECOND, THIRD]));
    expect(existsSync(join(paths.www, FIRST))).toBe(false);
    expect([await tree.intact(SECOND), await tree.intact(THIRD)]).toEqual([true, true]);
    await tree.remove(THIRD, new Set());
    expect(await left()).toEqual([[FIRST, SECOND], [SECOND]]);
    await tree.remove(SECOND, new Set());
    expect(await left()).toEqual([[], []]);
    expect([mounts.points.size, await units()]).toEqual([0, []]);
  });

  it('is mounted again at boot by its unit and, where that did not happen, by the agent', async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    expect(await units()).toHaveLength(1);
    expect(await readdir(join(paths.units, 'multi-user.target.wants'))).toEqual(await units());
    await mounts.unmount(join(paths.releases, SECOND));
    expect(await tree.sweep(new Set([FIRST, SECOND]))).toEqual([]);
    expect(await read(SECOND, 'main')).toBe('two');
  });
});

describe('a full tree', () => {
  it.each<[string, Files, boolean]>([
    ['much differs', Object.fromEntries(Object.keys(MANY).map((path) => [path, 'other'])), true],
    ['the release is small', { 'app/a': 'a' }, true],
    ['a script adds to it', { ...MANY, 'app/main': 'two' }, false],
  ])('is made when %s', async (_why, files, shareable) => {
    await make(FIRST, MANY);
    await make(SECOND, files, shareable);
    expect([mounts.points.size, await tree.intact(SECOND)]).toEqual([0, true]);
  });

  it('that a script may write to shares nothing with others', async () => {
    await make(FIRST, { 'app/main': 'one' }, false);
    await appendFile(join(paths.www, FIRST, 'main'), ', changed');
    await chmod(join(paths.www, FIRST, 'main'), 0o666);
    await make(SECOND, { 'app/main': 'one' });
    expect(await read(SECOND, 'main')).toBe('one');
    expect((await stat(join(paths.www, SECOND, 'main'))).mode & 0o777).toBe(0o644);
  });

  it('is made, and said to be, where overlays do not work', async () => {
    tree = treeWith(NO_MOUNTS);
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await make(THIRD, { ...MANY, 'app/main': 'three' });
    expect(warnings).toEqual([expect.stringContaining('unknown filesystem type')]);
    expect([await left(), await units()]).toEqual([[[FIRST, SECOND, THIRD], []], []]);
    expect([await read(SECOND, 'main'), await tree.intact(SECOND)]).toEqual(['two', true]);
  });

  it('is made where only this process would see a mount', async () => {
    tree = treeWith({ ...mounts, shared: async () => new Set() });
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    expect(warnings).toEqual([expect.stringContaining('does not show the release to all of the node')]);
    expect([mounts.points.size, await tree.intact(SECOND)]).toEqual([0, true]);
  });
});

describe('what is damaged', () => {
  beforeEach(async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
  });

  it('shows in every release that has it, and nothing new is laid over it', async () => {
    await rm(join(paths.releases, FIRST, 'app/lib/8'));
    await rm(join(paths.releases, SECOND, 'app/lib/8'));
    expect([await tree.intact(SECOND), await tree.intact(FIRST)]).toEqual([false, false]);
    await make(THIRD, { ...MANY, 'app/main': 'three' });
    expect([mounts.points.has(join(paths.releases, THIRD)), await tree.intact(THIRD)]).toEqual([false, true]);
  });

  it('is made again in its place, also below others', async () => {
    await rm(join(paths.releases, FIRST, 'app/lib/8'));
    expect(await tree.intact(FIRST)).toBe(false);
    await make(FIRST, MANY);
    expect([await tree.intact(FIRST), await tree.intact(SECOND)]).toEqual([true, true]);
  });

  it('is known as lost when the folder below is gone', async () => {
    await mounts.unmount(join(paths.releases, SECOND));
    await rm(join(paths.releases, FIRST), { recursive: true });
    expect(await tree.sweep(new Set([FIRST, SECOND]))).toEqual([SECOND]);
    expect(warnings).toEqual([expect.stringMatching(`${SECOND} cannot be mounted: .*ENOENT`)]);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    expect([await tree.intact(SECOND), mounts.points.size]).toEqual([true, 0]);
  });
});

describe('the link to a release that was lost', () => {
  beforeEach(async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await rm(join(paths.www, FIRST));
  });

  it('comes back', async () => {
    expect(await tree.sweep(new Set([FIRST, SECOND]))).toEqual([]);
    expect(await read(FIRST, 'lib/7')).toBe('content 0');
  });

  it('does not take the release with it', async () => {
    await tree.remove(SECOND, new Set([FIRST]));
    expect([await left(), await tree.intact(FIRST)]).toEqual([[[FIRST], []], true]);
  });
});

describe('sweeping', () => {
  it('removes layers, mounts and units of nobody, whatever step a crash cut off', async () => {
    await make(FIRST, MANY);
    await make(SECOND, { ...MANY, 'app/main': 'two' });
    await make(THIRD, { ...MANY, 'app/main': 'three' });
    await rm(join(paths.layers, THIRD), { recursive: true });
    await writeFile(join(paths.layers, '.partial-x'), '');
    expect(await tree.sweep(new Set([SECOND]))).toEqual([]);
    expect(await left()).toEqual([[FIRST, SECOND], [SECOND]]);
    expect([...mounts.points]).toEqual([join(paths.releases, SECOND)]);
    expect(await units()).toEqual([expect.stringContaining('002')]);
    expect(await tree.sweep(new Set())).toEqual([]);
    expect([await left(), await units(), mounts.points.size]).toEqual([[[], []], [], 0]);
  });
});
