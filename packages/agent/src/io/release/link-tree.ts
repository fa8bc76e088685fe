/** Builds the folder of a release, or of a layer of one, by hard links into the content store. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lchownSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type Manifest, type ManifestFile, SlError } from '@silverlining/protocol';
import { errno, type FileOwner, isOutOfSpace } from '@silverlining/system';
import type { DiskContentStore } from './content-store.ts';
import { inSlices } from './slices.ts';

export interface TreeOwners {
  /** Owns the release. */
  release: FileOwner;
  /** root, with the app's group: owns the configuration. */
  config: FileOwner;
}

export interface TreeInput {
  /** Exists and is empty. */
  folder: string;
  release: { manifest: Manifest; support: Record<string, string> };
  store: DiskContentStore;
  owners: TreeOwners;
  /** Of a layer: what it hides of the folder below, by links to a device file that means that. */
  hidden?: { paths: readonly string[]; whiteout: string };
}

/** Fills the folder. E_MANIFEST when the store lacks a content after all; the next offer then asks for it. */
export async function buildByLinks(input: TreeInput): Promise<void> {
  const { folder, release, owners, hidden = { paths: [], whiteout: '' } } = input;
  const { manifest, support } = release;
  const paths = [...manifest.files, ...manifest.links].map((it) => it.path);
  await inSlices(foldersOf([...paths, ...hidden.paths]), (path) => makeFolder(`${folder}/${path}`, path, owners));
  await inSlices(manifest.files, (file) => placeFile(input, file));
  await inSlices(manifest.links, (link) => {
    symlinkSync(link.target, `${folder}/${link.path}`);
    const owner = ownerOf(link.path, owners);
    lchownSync(`${folder}/${link.path}`, owner.uid, owner.gid);
  });
  await inSlices(hidden.paths, (path) => linkSync(hidden.whiteout, `${folder}/${path}`));
  makeFolder(`${folder}/support`, 'support', owners);
  for (const [name, content] of Object.entries(support)) {
    writeFileSync(`${folder}/support/${name}`, content, { mode: 0o644 });
  }
  chownSync(folder, owners.release.uid, owners.release.gid);
  chmodSync(folder, 0o755);
}

/** All folders above the paths, parents first; `app` and `config` are there even when they are empty. */
function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set(['app', 'config']);
  for (const path of paths) {
    let end = path.lastIndexOf('/');
    while (end > 0 && !folders.has(path.slice(0, end))) {
      folders.add(path.slice(0, end));
      end = path.lastIndexOf('/', end - 1);
    }
  }
  return [...folders].sort();
}

function makeFolder(path: string, inRelease: string, owners: TreeOwners): void {
  const owner = ownerOf(inRelease, owners);
  mkdirSync(path);
  chownSync(path, owner.uid, owner.gid);
  chmodSync(path, isConfig(inRelease) ? 0o750 : 0o755);
}

function placeFile({ folder, store, owners }: TreeInput, file: ManifestFile): void {
  const target = `${folder}/${file.path}`;
  try {
    if (isConfig(file.path)) copyConfig(store.path(file), target, file, owners.config);
    else linkOrCopy(store.path(file), target, file, owners.release);
  } catch (cause) {
    if (isOutOfSpace(cause)) throw new SlError('E_DISK_FULL', 'the disk, or its inodes, ran out', { cause });
    if (errno(cause) !== 'ENOENT') throw cause;
    store.forget(file);
    throw new SlError('E_MANIFEST', `the content of ${JSON.stringify(file.path)} is gone from the node; deploy again`, {
      cause,
    });
  }
}

/** A hard link shares owner and mode with the store, and configuration has its own: so it is copied. */
function copyConfig(from: string, to: string, file: ManifestFile, owner: FileOwner): void {
  copyFileSync(from, to);
  chownSync(to, owner.uid, owner.gid);
  chmodSync(to, file.mode === 0o755 ? 0o750 : 0o640);
}

function linkOrCopy(from: string, to: string, file: ManifestFile, owner: FileOwner): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // File systems allow some tens of thousands of links to one file; empty files get there.
    if (errno(error) !== 'EMLINK') throw error;
    copyFileSync(from, to);
    chownSync(to, owner.uid, owner.gid);
    chmodSync(to, file.mode);
  }
}

function ownerOf(path: string, owners: TreeOwners): FileOwner {
  return isConfig(path) ? owners.config : owners.release;
}

function isConfig(path: string): boolean {
  return path === 'config' || path.startsWith('config/');
}
