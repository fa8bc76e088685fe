/** Reads images as the kernel does: by their superblock, and the names as its binary search needs them. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';

const BLOCK = 4096;
const S_IFMT = 0o170000;
const [FOLDER, LINK] = [0o040000, 0o120000];

export interface ErofsInode {
  path: string;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  content: Buffer;
}

/** All inodes of an image by path, the root as `''`. Throws where the kernel would call it damaged. */
export function readErofs(image: Buffer): Map<string, ErofsInode> {
  const at = 1024;
  if (image.readUInt32LE(at) !== 0xe0f5e1e2) throw new Error('no superblock');
  if (image.readUInt32LE(at + 36) * BLOCK !== image.length) throw new Error('the number of blocks is wrong');
  const inodesAt = image.readUInt32LE(at + 40) * BLOCK;
  const inodes = new Map<string, ErofsInode>();
  const visit = (nid: number, path: string, parent: number): void => {
    const inode = inodeOf(image, inodesAt + nid * 32, path);
    inodes.set(path, inode);
    if ((inode.mode & S_IFMT) !== FOLDER) return;
    const names = new Map(namesOf(inode.content).map((it) => [it.name, it.nid]));
    if (names.get('.') !== nid || names.get('..') !== parent) throw new Error(`the dots of ${path} lead elsewhere`);
    for (const [name, child] of names) if (!isDots(name)) visit(child, path === '' ? name : `${path}/${name}`, nid);
  };
  const root = image.readUInt16LE(at + 14);
  visit(root, '', root);
  if (inodes.size !== Number(image.readBigUInt64LE(at + 16))) throw new Error('the number of inodes is wrong');
  return inodes;
}

function isDots(name: string): boolean {
  return name === '.' || name === '..';
}

/** Makes the files of an image below a folder that exists. */
export function unpackErofs(path: string, folder: string): void {
  for (const inode of readErofs(readFileSync(path)).values()) {
    const target = `${folder}/${inode.path}`;
    const kind = inode.mode & S_IFMT;
    if (kind === FOLDER) mkdirSync(target, { recursive: true });
    else if (kind === LINK) symlinkSync(inode.content.toString(), target);
    else writeFileSync(target, inode.content, { mode: inode.mode & 0o777 });
  }
}

function inodeOf(image: Buffer, at: number, path: string): ErofsInode {
  if (image.readUInt16LE(at) !== 0) throw new Error(`${path} is no compact inode of plain blocks`);
  const start = image.readUInt32LE(at + 16) * BLOCK;
  const size = image.readUInt32LE(at + 8);
  if (start + size > image.length) throw new Error(`${path} ends behind the image`);
  return {
    ...{ path, mode: image.readUInt16LE(at + 4), links: image.readUInt16LE(at + 6) },
    ...{ uid: image.readUInt16LE(at + 24), gid: image.readUInt16LE(at + 26) },
    content: image.subarray(start, start + size),
  };
}

/** In the order in which they stand, which has to be that of their bytes, across blocks. */
function namesOf(folder: Buffer): { name: string; nid: number }[] {
  const entries = [];
  for (let at = 0; at < folder.length; at += BLOCK) {
    const block = folder.subarray(at, at + BLOCK);
    const count = block.readUInt16LE(8) / 12;
    for (let i = 0; i < count; i++) {
      const start = block.readUInt16LE(i * 12 + 8);
      const next = i + 1 < count ? block.readUInt16LE((i + 1) * 12 + 8) : block.length;
      const end = block.subarray(start, next).indexOf(0);
      const raw = block.subarray(start, end === -1 ? next : start + end);
      entries.push({ raw, name: raw.toString(), nid: Number(block.readBigUInt64LE(i * 12)) });
    }
  }
  for (const [i, { raw }] of entries.slice(1).entries()) {
    const before = entries[i];
    if (before !== undefined && Buffer.compare(before.raw, raw) >= 0) throw new Error(`${raw} is not in order`);
  }
  return entries;
}
