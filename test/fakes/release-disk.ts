/** Releases on a disk of their own, as an agent makes them of what it receives; mounts are copies. */
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ManifestFile } from '@silverlining/protocol';
import { afterEach, beforeEach } from 'vitest';
import type { Listing } from '../../packages/agent/src/core/release/listing.ts';
import { type ReleasePaths, releasePaths } from '../../packages/agent/src/core/release/paths.ts';
import { type DiskContentStore, openContentStore } from '../../packages/agent/src/io/release/content-store.ts';
import type { Mounts } from '../../packages/agent/src/io/release/mounts.ts';
import { createReleaseTree } from '../../packages/agent/src/io/release/release-tree.ts';
import type { ReleaseTree } from '../../packages/agent/src/release-ports.ts';
import { listingOf } from '../builders/listing.ts';
import { archiveOf } from '../builders/tar-archive.ts';
import { copiedMounts } from './mounts.ts';

export const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
export const signal = new AbortController().signal;

interface ReleaseDisk {
  paths: ReleasePaths;
  store: DiskContentStore;
  mounts: ReturnType<typeof copiedMounts>;
  tree: ReleaseTree;
  warnings: string[];
}

/** Another one for each test of a file that calls `useReleaseDisk`. */
export const disk = {} as ReleaseDisk;

/** To be called once in a file, before its tests. */
export function useReleaseDisk(): void {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sl-releases-'));
    Object.assign(disk, { paths: releasePaths(root), mounts: copiedMounts() });
    await start(disk.mounts);
  });
  afterEach(() => rmSync(root, { recursive: true }));
}

/** As an agent does that begins, or begins again. */
export async function start(mounts: Mounts): Promise<void> {
  const { paths } = disk;
  const warnings: string[] = [];
  const store = await openContentStore(paths.store, async () => me);
  const owners = async () => ({ release: me, config: me });
  const tree = createReleaseTree({ paths, store, owners, mounts, warn: (text) => warnings.push(text) });
  Object.assign(disk, { store, tree, warnings });
}

/** Text by path. */
export type Files = Record<string, string>;

export function releaseOf(files: Files): Listing {
  const listed = Object.entries(files).map(([path, text]): ManifestFile => {
    const sha256 = createHash('sha256').update(text).digest('hex');
    return { path, mode: 0o644, size: Buffer.byteLength(text), sha256 };
  });
  return listingOf(listed);
}

/** Takes in what is missing, or the first part of it; returns how many files that were. */
export async function receive(files: Files, part?: number): Promise<number> {
  const { store } = disk;
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

export async function materialise(instance: string, files: Files, shareable = true, brought = 0): Promise<void> {
  const release = { instance, listing: releaseOf(files), support: { wrap: instance }, group: 'app-blog' };
  await disk.tree.materialise({ ...release, shareable, brought });
}

export async function make(instance: string, files: Files): Promise<number> {
  const received = await receive(files);
  await materialise(instance, files, true, received);
  return received;
}

export const read = (instance: string, path: string) => readFile(join(disk.paths.www, instance, path), 'utf8');
export const images = async () =>
  (await readdir(disk.paths.layers).catch(() => [])).filter((name) => name !== '.whiteout');
export const blobs = async () => (await readdir(disk.paths.store)).filter((name) => /^[0-9a-f]{2}$/.test(name));
export const packs = () => readdir(join(disk.paths.store, 'packs'));
