/** Builds the folder of a release, or of a layer of one, by hard links into the content store or copies of what is there. */
import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  lchownSync,
  linkSync,
  mkdirSync,
  promises,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { CHUNKED_FROM, type Manifest, type ManifestFile } from '@silverlining/protocol';
import { errno, type FileOwner, foldersOf, isConfig, modeOf, ownerOf, type TreeOwners } from '@silverlining/system';
import type { DiskContentStore } from './content-store.ts';
import { diskFull, lostContent } from './disk-full.ts';
import { inSlices } from './slices.ts';

/** A content that is not there any more, or that the disk does not give: it has to come again. */
const LOST: ReadonlySet<string | undefined> = new Set(['ENOENT', 'EIO']);

export interface TreeInput {
  /** Exists and is empty. */
  folder: string;
  release: { parts: Pick<Manifest, 'files' | 'links'>; support: Record<string, string> };
  store: DiskContentStore;
  owners: TreeOwners;
  /** Of a release whose own script may write to it: a link would let it write to the store, and so to other releases. */
  copies?: boolean;
  /** Of a layer: what it hides of the folder below, by links to a device file that means that. */
  hidden?: { paths: readonly string[]; whiteout: string };
}

/** Fills the folder. E_MANIFEST when the store lacks a content after all; the next offer then asks for it. */
export async function buildByLinks(input: TreeInput): Promise<void> {
  const { folder, release, store, owners, hidden = { paths: [], whiteout: '' } } = input;
  const { parts, support } = release;
  const paths = [...parts.files, ...parts.links].map((it) => it.path);
  await inSlices(foldersOf([...paths, ...hidden.paths]), (path) => makeFolder(`${folder}/${path}`, path, owners));
  await store.unpack(parts.files);
  await inSlices(parts.files, (file) => placeFile(input, file));
  await inSlices(parts.links, (link) => {
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

function makeFolder(path: string, inRelease: string, owners: TreeOwners): void {
  const owner = ownerOf(inRelease, owners);
  mkdirSync(path);
  chownSync(path, owner.uid, owner.gid);
  chmodSync(path, isConfig(inRelease) ? 0o750 : 0o755);
}

/** Returns a promise where it takes its time, in another thread. */
function placeFile({ folder, store, owners, copies }: TreeInput, file: ManifestFile): Promise<void> | undefined {
  const target = `${folder}/${file.path}`;
  const fail = (cause: unknown): never => {
    if (!LOST.has(errno(cause))) throw diskFull(undefined, cause);
    store.forget(file);
    throw lostContent(file, cause);
  };
  try {
    const { path } = store.locate(file);
    const inode = { owner: ownerOf(file.path, owners), mode: modeOf(file) };
    if (!copies && !isConfig(file.path)) linkOrCopy(path, target, inode);
    else if (file.size < CHUNKED_FROM) copyFile(path, target, inode);
    else return copyLargeFile(path, target, inode).catch(fail);
  } catch (cause) {
    return fail(cause);
  }
  return undefined;
}

interface Inode {
  owner: FileOwner;
  mode: number;
}

/** A hard link shares owner and mode with the store, and configuration has its own: so it is copied. */
function copyFile(from: string, to: string, inode: Inode): void {
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  giveInode(to, inode);
}

/** Half a gigabyte takes a slow disk many seconds, in which the agent would hear of nothing. */
async function copyLargeFile(from: string, to: string, inode: Inode): Promise<void> {
  await promises.copyFile(from, to, constants.COPYFILE_FICLONE);
  giveInode(to, inode);
}

function giveInode(to: string, { owner, mode }: Inode): void {
  chownSync(to, owner.uid, owner.gid);
  chmodSync(to, mode);
}

function linkOrCopy(from: string, to: string, inode: Inode): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // File systems allow some tens of thousands of links to one file; empty files get there.
    if (errno(error) !== 'EMLINK') throw error;
    copyFile(from, to, inode);
  }
}
