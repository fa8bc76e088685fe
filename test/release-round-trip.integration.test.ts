/** The two ends together: what the controller packs is what agents unpack. */
import { rmSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type App, encodeBitmap, type Manifest } from '@silverlining/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Listing } from '../packages/agent/src/core/release/listing.ts';
import { releasePaths } from '../packages/agent/src/core/release/paths.ts';
import { openContentStore } from '../packages/agent/src/io/release/content-store.ts';
import { createReleaseTree } from '../packages/agent/src/io/release/release-tree.ts';
import { sendFiles } from '../packages/agent/src/io/release/send-files.ts';
import { createReleaseSource } from '../packages/controller/src/io/release-source/index.ts';
import { NO_MOUNTS } from './fakes/mounts.ts';

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const signal = new AbortController().signal;

// Numbered, so that no two differ in case or composition only.
const name = fc
  .tuple(
    fc.nat(99),
    fc.string({ unit: fc.constantFrom('a', 'B', ' ', '-', '\u00e9', '\u6f22', '.', '%', '$', "'"), maxLength: 60 }),
  )
  .map(([n, text]) => `${n}_${text}`);
const tree = fc.uniqueArray(
  fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    content: fc.uint8Array({ maxLength: 2000 }),
    executable: fc.boolean(),
  }),
  // The first part tells files apart, so that none is another one's folder.
  { selector: ({ path }) => path.split('_')[0], maxLength: 6 },
);

it('brings any tree over as it is', async () => {
  await fc.assert(
    fc.asyncProperty(tree, async (files) => {
      const folder = await mkdtemp(join(tmpdir(), 'sl-trip-'));
      try {
        await roundTrip(folder, files);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: 25 },
  );
});

interface TreeFile {
  path: string;
  content: Uint8Array;
  executable: boolean;
}

async function roundTrip(folder: string, files: TreeFile[]): Promise<void> {
  const dir = join(folder, 'app');
  await mkdir(dir);
  for (const file of files) {
    await mkdir(dirname(join(dir, file.path)), { recursive: true });
    await writeFile(join(dir, file.path), file.content, { mode: file.executable ? 0o755 : 0o644 });
  }
  await symlink(files[0]?.path ?? 'nowhere', join(dir, 'link'));
  const instance = 'blog.20260131_001';
  const manifest = await transfer(folder, dir, instance);
  const release = join(releasePaths(folder).releases, instance);
  expect(manifest.files).toHaveLength(files.length);
  for (const file of files) {
    const path = join(release, 'app', file.path);
    expect(new Uint8Array(await readFile(path))).toEqual(file.content);
    expect((await lstat(path)).mode & 0o777).toBe(file.executable ? 0o755 : 0o644);
  }
  expect(await readlink(join(release, 'app/link'))).toBe(files[0]?.path ?? 'nowhere');
  await lend(folder, release, manifest);
}

/** Another node takes in what the first one lends. */
async function lend(folder: string, release: string, manifest: Manifest): Promise<void> {
  const { files } = manifest;
  const other = await openContentStore(join(folder, 'other'), async () => me);
  const missing = other.lacking(files);
  const wire = new PassThrough();
  await Promise.all([
    sendFiles({ folder: release, files: missing, sink: wire }, signal),
    other.receive(wire, { listing: Listing.of(manifest), missing }, signal),
  ]);
  expect(other.lacking(files)).toEqual([]);
}

async function transfer(folder: string, dir: string, instance: string) {
  const source = createReleaseSource({ cache: join(folder, 'cache') });
  // Of an app, scanning and packing look at these alone.
  const app = { name: 'blog', dir } as App;
  const scanned = await source.scan(app, signal);
  const { manifest } = scanned;
  const listing = Listing.of(manifest);
  const store = await openContentStore(join(folder, 'store'), async () => me);
  const pack = source.pack(app, scanned, { missing: encodeBitmap(manifest.files.length, manifest.files.keys()) });
  const wire = new PassThrough();
  await Promise.all([pack.send(wire, signal), store.receive(wire, { listing, missing: manifest.files }, signal)]);
  await pack.close();
  const paths = releasePaths(folder);
  const releases = createReleaseTree({
    ...{ paths, store, owners: async () => ({ release: me, config: me }) },
    ...{ mounts: NO_MOUNTS, warn: (message) => expect.unreachable(message) },
  });
  await releases.materialise({ instance, listing, support: {}, group: 'app-blog', shareable: true, brought: 0 });
  expect(await releases.intact(instance)).toBe(true);
  expect((await releases.listing(instance))?.manifest()).toEqual(manifest);
  expect(await readlink(join(paths.www, instance))).toBe(join(paths.releases, instance, 'app'));
  return manifest;
}
