/** A power cut: the disk as it is at one moment, without what was still in memory. The agent's durable state has to be on it. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readlink, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { comparePaths, instanceUnit, type Manifest, type ManifestFile } from '@silverlining/protocol';
import { blobKey, blobPath, linkDurable } from '@silverlining/system';
import { describe, expect, it } from 'vitest';
import { mountUnitName } from '../../packages/agent/src/core/release/layer.ts';
import { instancePaths, type ReleasePaths, releasePaths } from '../../packages/agent/src/core/release/paths.ts';
import { createAppPlaces } from '../../packages/agent/src/io/release/app-places.ts';
import { type DiskContentStore, openContentStore } from '../../packages/agent/src/io/release/content-store.ts';
import { writeImage } from '../../packages/agent/src/io/release/image.ts';
import { createInstanceUnits } from '../../packages/agent/src/io/release/instance-units.ts';
import { openJournals } from '../../packages/agent/src/io/release/journals.ts';
import { createReleaseTree } from '../../packages/agent/src/io/release/release-tree.ts';
import { syncFileSystems } from '../../packages/agent/src/io/release/sync.ts';
import { syncWritten } from '../../packages/agent/src/io/release/sync-written.ts';
import { hostCommand } from '../../packages/controller/src/io/host-packages.ts';
import { listingOf } from '../builders/listing.ts';
import { archiveOf } from '../builders/tar-archive.ts';
import { copiedMounts } from '../fakes/mounts.ts';
import { after, cutPower, disk, folder, useDisk } from './support/power-cut.ts';

const paths = (root: string) => ({ instances: `${root}/instances`, committed: `${root}/agent/committed.json` });
const warnings: string[] = [];
const journals = (root: string) => openJournals(paths(root), (text) => warnings.push(text));

describe('after a power cut', () => {
  useDisk([]);

  it('what was only renamed is as it was before: otherwise nothing here could fail', async () => {
    await writeFile(`${disk}/plain`, 'old');
    await hostCommand(['sync', '--file-system', disk]);
    await writeFile(`${disk}/plain.new`, 'new');
    await rename(`${disk}/plain.new`, `${disk}/plain`);
    await cutPower();
    expect(await readFile(`${after}/plain`, 'utf8')).toBe('old');
  });

  it('the newest commit that was written is there', async () => {
    const { writeCommitted } = await journals(disk);
    for (let epoch = 1; epoch <= 3; epoch += 1)
      await writeCommitted({ version: 1, epoch, active: { blog: `blog.20260131_00${epoch}` } });
    await cutPower();
    const active = { blog: 'blog.20260131_003' };
    expect(await (await journals(after)).committed()).toEqual({ version: 1, epoch: 3, active });
  });

  it('in the middle of writing, there is a whole commit, not older than the last that was written', async () => {
    const { writeCommitted } = await journals(disk);
    let [written, stop] = [3, false];
    const writing = (async () => {
      while (!stop) {
        await writeCommitted({ version: 1, epoch: written + 1, active: {} });
        written += 1;
      }
    })();
    await expect.poll(() => written).toBeGreaterThan(20);
    const before = written;
    await cutPower();
    stop = true;
    await writing;
    const found = await (await journals(after)).committed();
    expect(found?.epoch).toBeGreaterThanOrEqual(before);
    expect(warnings).toEqual([]);
  });

  it('a link is the old one or the new one, and the new one once that was said', async () => {
    await linkDurable(`${disk}/link`, 'first');
    await linkDurable(`${disk}/link`, 'second');
    await cutPower();
    expect((await hostCommand(['readlink', `${after}/link`])).stdout.trim()).toBe('second');
  });

  it.each([3, 200])('of %d contents that were taken in, those that have their name are whole', async (count) => {
    const { files } = await takeIn(count);
    await cutPower();
    for (const file of files) expect([file.sha256, undefined]).toContain(await hashAfter(file));
  });

  it('all contents are there once the node has voted', async () => {
    const { files } = await takeIn(20);
    // What the vote does before its journal is written.
    await syncFileSystems(disk);
    await cutPower();
    for (const file of files) expect(await hashAfter(file)).toBe(file.sha256);
  });

  it('of many contents in one file, those that are found again are whole, also when it was not written yet', async () => {
    const { files } = await takeIn(300);
    await cutPower();
    const store = await openContentStore(`${after}/store`, me);
    await store.salvage(files, new AbortController().signal);
    const lost = new Set(store.lacking(files));
    for (const file of files.filter((it) => !lost.has(it)))
      expect(await partHash(store.locate(file), file)).toBe(file.sha256);
  });

  it('an image is whole once the node has voted', async () => {
    const { files, store } = await takeIn(300);
    const manifest: Manifest = { version: 1, app: 'blog', files: files.toSorted(comparePaths), links: [] };
    const pack = store.packs.claim(manifest);
    if (pack === undefined) throw new Error('they are not in one file');
    const owners = { release: await me(), config: await me() };
    await writeImage({ pack, release: { manifest, support: {} }, own: {}, store, owners });
    await syncFileSystems(disk);
    await cutPower();
    const seen = join(folder, 'seen');
    await mkdir(seen);
    await hostCommand(['mount', '-t', 'erofs', '-o', 'loop,ro', pack.data.replace(disk, after), seen]);
    try {
      for (const file of files) expect(await hashOf(join(seen, file.path))).toBe(file.sha256);
    } finally {
      await hostCommand(['umount', seen]);
    }
  });
});

/** Without a journal, nothing gets to the disk along with something else; and no program can have the disk take a link. */
describe.each([
  { how: 'as they are', options: [], hasJournal: true },
  { how: 'without a journal', options: ['-O', '^has_journal'], hasJournal: false },
])('after a power cut, of disks $how', ({ options, hasJournal }) => {
  useDisk(options);

  it('a release that is a layer is all there once the node has voted, and is not before', async () => {
    const root = releasePaths(disk);
    const there = releasePaths(after);
    const node = await openNode(root);
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`app/${i % 7}/${i}`, `first ${i}`]));
    await make(node, FIRST, files);
    await syncFileSystems(disk);
    const { 'app/0/0': _removed, ...rest } = files;
    const next = { ...rest, 'app/1/1': 'second', 'app/new/a': 'new', 'config/c': 'config' };
    const written = await make(node, SECOND, next);
    const recordOf = (paths: ReleasePaths) => readFile(`${paths.layers}/${SECOND}/layer.json`, 'utf8');
    await cutPower();
    expect(await recordOf(there).catch(() => '')).toBe('');
    await hostCommand(['umount', after]);

    await syncWritten(root, { app: 'blog', instance: SECOND, isNew: true });
    await cutPower();
    expect(JSON.parse(await recordOf(there))).toMatchObject({ base: FIRST, changes: { removed: ['app/0/0'] } });
    const tree = `${there.layers}/${SECOND}/tree`;
    for (const path of ['app/1/1', 'app/new/a', 'config/c'] as const)
      expect(await readFile(`${tree}/${path}`, 'utf8')).toBe(next[path]);
    expect(await readFile(`${tree}/support/wrap`, 'utf8')).toBe(SECOND);
    for (const path of written)
      expect(await readFile(path.replace(disk, after), 'utf8')).toBe(await readFile(path, 'utf8'));
    if (!hasJournal) return;
    const unit = mountUnitName(`${root.releases}/${SECOND}`);
    expect(await readlink(`${there.units}/multi-user.target.wants/${unit}`)).toBe(`../${unit}`);
    expect(await readlink(`${there.www}/${SECOND}`)).toBe(`${root.releases}/${SECOND}/app`);
    expect(existsSync(`${tree}/app/0/0`)).toBe(true);
  });
});

const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';

async function openNode(paths: ReleasePaths) {
  const store = await openContentStore(paths.store, me);
  const owners = async () => ({ release: await me(), config: await me() });
  const warn = (text: string) => warnings.push(text);
  return { paths, store, tree: createReleaseTree({ paths, store, owners, mounts: copiedMounts(), warn }) };
}

/** Makes a release as staging does; returns the files that say how it runs. */
async function make(
  { paths, store, tree }: Awaited<ReturnType<typeof openNode>>,
  instance: string,
  files: Record<string, string>,
): Promise<string[]> {
  const entries = Object.entries(files).map(([path, content]) => ({ path, content }));
  const listed = entries.map(({ path, content }) => {
    return { path, mode: 0o644 as const, size: content.length, sha256: sha256(content) };
  });
  const listing = listingOf(listed);
  const missing = store.lacking(listed);
  const sent = new Set(missing.map((it) => it.path));
  const input = Readable.from([archiveOf(entries.filter((it) => sent.has(it.path)))], { objectMode: false });
  await store.receive(input, { listing, missing }, new AbortController().signal);
  const release = { instance, listing, support: { wrap: instance }, group: 'app-blog', shareable: true };
  await tree.materialise({ ...release, brought: missing.length });
  const { env, temp, logs } = instancePaths(paths, 'blog', instance);
  const places = createAppPlaces({ paths, ensureAccount: me });
  await places.ensureFolders({ temp, logs, user: 'app-blog' });
  await places.writeEnv(env, { INSTANCE: instance });
  await createInstanceUnits(paths.units).install(instance, `[Unit]\nDescription=${instance}\n`);
  const units = [instanceUnit(instance), mountUnitName(`${paths.releases}/${instance}`)];
  return [env, ...units.map((it) => `${paths.units}/${it}`)];
}

const me = async () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });

/** Takes new contents into the store, as a deploy does. */
async function takeIn(count: number): Promise<{ files: ManifestFile[]; store: DiskContentStore }> {
  const entries = Array.from({ length: count }, (_, i) => ({
    path: `app/${i}`,
    content: randomBytes(2_000).toString('hex'),
  }));
  const files = entries.map(({ path, content }) => {
    return { path, mode: 0o644 as const, size: content.length, sha256: sha256(content) };
  });
  const store = await openContentStore(`${disk}/store`, me);
  const input = Readable.from([archiveOf(entries)], { objectMode: false });
  await store.receive(input, { listing: listingOf(files), missing: files }, new AbortController().signal);
  return { files, store };
}

/** Of the content that the store has under this name after the cut; undefined when it has none. */
async function hashAfter(file: ManifestFile): Promise<string | undefined> {
  return hashOf(blobPath(`${after}/store`, blobKey(file))).catch(() => undefined);
}

async function hashOf(path: string): Promise<string> {
  return sha256(await readFile(path));
}

async function partHash(
  { path, offset = 0 }: { path: string; offset?: number },
  { size }: ManifestFile,
): Promise<string> {
  return sha256((await readFile(path)).subarray(offset, offset + size));
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
