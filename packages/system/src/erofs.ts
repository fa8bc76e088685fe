/**
 * Metadata of an EROFS image: the read-only file system that the kernel has had since 5.4. Plain inodes alone, nothing
 * compressed. Layout: fs/erofs/erofs_fs.h of the kernel, https://docs.kernel.org/filesystems/erofs.html.
 */

/** Bytes of a block. Contents begin at one. */
export const BLOCK = 4096;
/** Where the superblock goes. */
export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_SIZE = 128;

const MAGIC = 0xe0f5e1e2;
const BLOCK_BITS = 12;
const INODE = 32;
const DIRENT = 12;
/** How the bytes of its numbers stand, in a DataView's terms. */
const LITTLE = true;
/** Bytes of a file, and numbers of owners, that a compact inode has room for. */
export const MAX_SIZE = 0xffff_ffff;
const MAX_ID = 0xffff;

interface Owned {
  /** From the root of the image, without a leading slash; `''` is the root itself. */
  path: string;
  uid: number;
  gid: number;
}
export type ImageEntry = Owned &
  (
    | { kind: 'folder'; mode: number }
    /** `offset` of the content in the image, at a block. */
    | { kind: 'file'; mode: number; size: number; offset: number }
    | { kind: 'link'; target: string }
  );

export interface Metadata {
  /** To be written at the offset that was asked for; whole blocks. */
  blocks: Buffer;
  /** To be written at `SUPERBLOCK_AT`, last: without it there is no file system. */
  superblock: Buffer;
}

interface Node {
  entry: ImageEntry;
  name: Buffer;
  nid: number;
  parent: Node | undefined;
  children: Node[];
  size: number;
  /** First block of the content. */
  block: number;
}

const TYPES = {
  file: { bits: 0o100000, dirent: 1 },
  folder: { bits: 0o040000, dirent: 2 },
  link: { bits: 0o120000, dirent: 7 },
};

/**
 * The metadata of an image whose contents are below `at`, a multiple of the block. The entries are whole: every folder
 * above an entry is one, the root too, and stands before it. `builtAt`, in seconds since 1970, is the time of all of them.
 */
export function erofsMetadata(
  entries: readonly ImageEntry[],
  { at, builtAt }: { at: number; builtAt: number },
): Metadata {
  const nodes = treeOf(entries);
  const firstData = at / BLOCK + blocksOf((nodes.length + 1) * INODE);
  let next = firstData;
  const data: Buffer[] = [];
  for (const node of nodes) {
    const content = contentOf(node);
    if (content === undefined) continue;
    node.size = sizeOf(node, content);
    node.block = next;
    next += content.length / BLOCK;
    data.push(content);
  }
  const inodes = Buffer.alloc((firstData - at / BLOCK) * BLOCK);
  const view = viewOf(inodes);
  for (const node of nodes) writeInode(view, node);
  return {
    blocks: Buffer.concat([inodes, ...data]),
    superblock: superblock({ at, builtAt, count: nodes.length, blocks: next }),
  };
}

/** In the order of their inodes. The first slot stays empty: an inode of number 0 is none to some programs. */
function treeOf(entries: readonly ImageEntry[]): Node[] {
  const byPath = new Map<string, Node>();
  const nodes = entries.map((entry, index): Node => {
    const slash = entry.path.lastIndexOf('/');
    const parent = entry.path === '' ? undefined : byPath.get(entry.path.slice(0, Math.max(slash, 0)));
    if (parent === undefined && entry.path !== '') throw new RangeError(`no folder for ${entry.path}`);
    const [size, block] = entry.kind === 'file' ? [entry.size, entry.offset / BLOCK] : [0, 0];
    if (size > MAX_SIZE) throw new RangeError(`${entry.path} is too large for an image`);
    if (entry.uid > MAX_ID || entry.gid > MAX_ID)
      throw new RangeError(`no image has room for the owner of ${entry.path}`);
    const name = Buffer.from(entry.path.slice(slash + 1));
    const node: Node = { entry, name, nid: index + 1, parent, children: [], size, block };
    if (entry.kind === 'folder') byPath.set(entry.path, node);
    parent?.children.push(node);
    return node;
  });
  if (nodes[0]?.entry.path !== '') throw new RangeError('the first entry is not the root');
  return nodes;
}

/** Whole blocks; undefined of a file, which has its content already. */
function contentOf(node: Node): Buffer | undefined {
  if (node.entry.kind === 'folder') return directoryOf(node);
  if (node.entry.kind === 'link') return padded(Buffer.from(node.entry.target));
  return undefined;
}

function sizeOf({ entry }: Node, content: Buffer): number {
  return entry.kind === 'link' ? Buffer.byteLength(entry.target) : content.length;
}

/** Blocks of entries that are sorted by the bytes of their names; names follow the entries of their block. */
function directoryOf(node: Node): Buffer {
  const dots = [
    { name: Buffer.from('.'), node },
    { name: Buffer.from('..'), node: node.parent ?? node },
  ];
  const all = [...dots, ...node.children.map((child) => ({ name: child.name, node: child }))];
  all.sort((a, b) => Buffer.compare(a.name, b.name));
  const blocks: Buffer[] = [];
  let [first, bytes] = [0, 0];
  for (const [index, { name }] of all.entries()) {
    if (bytes + DIRENT + name.length > BLOCK) {
      blocks.push(directoryBlock(all.slice(first, index)));
      [first, bytes] = [index, 0];
    }
    bytes += DIRENT + name.length;
  }
  return Buffer.concat([...blocks, directoryBlock(all.slice(first))]);
}

function directoryBlock(entries: readonly { name: Buffer; node: Node }[]): Buffer {
  const block = Buffer.alloc(BLOCK);
  const view = viewOf(block);
  let nameAt = entries.length * DIRENT;
  for (const [index, { name, node }] of entries.entries()) {
    const at = index * DIRENT;
    // The upper half of its 64 bits stays zero.
    view.setUint32(at, node.nid, LITTLE);
    view.setUint16(at + 8, nameAt, LITTLE);
    view.setUint8(at + 10, TYPES[node.entry.kind].dirent);
    nameAt += name.copy(block, nameAt);
  }
  return block;
}

/** Compact, and its content in a row from a block on. */
function writeInode(inodes: DataView, { entry, nid, size, block, children }: Node): void {
  const at = nid * INODE;
  const mode = entry.kind === 'link' ? 0o777 : entry.mode;
  inodes.setUint16(at + 4, TYPES[entry.kind].bits | mode, LITTLE);
  inodes.setUint16(at + 6, entry.kind === 'folder' ? linksOf(children) : 1, LITTLE);
  inodes.setUint32(at + 8, size, LITTLE);
  inodes.setUint32(at + 16, block, LITTLE);
  inodes.setUint32(at + 20, nid, LITTLE);
  inodes.setUint16(at + 24, entry.uid, LITTLE);
  inodes.setUint16(at + 26, entry.gid, LITTLE);
}

/** Its own, that of its parent, and one of each folder in it. */
function linksOf(children: readonly Node[]): number {
  return Math.min(2 + children.filter((child) => child.entry.kind === 'folder').length, 0xffff);
}

/** V8 has its accessors built in, where a Buffer's are JavaScript that checks: with ten thousand inodes it shows. */
function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}

function superblock(image: { at: number; builtAt: number; count: number; blocks: number }): Buffer {
  const it = Buffer.alloc(SUPERBLOCK_SIZE);
  it.writeUInt32LE(MAGIC, 0);
  it.writeUInt8(BLOCK_BITS, 12);
  // The root.
  it.writeUInt16LE(1, 14);
  it.writeBigUInt64LE(BigInt(image.count), 16);
  it.writeBigUInt64LE(BigInt(image.builtAt), 24);
  it.writeUInt32LE(image.blocks, 36);
  it.writeUInt32LE(image.at / BLOCK, 40);
  return it;
}

/** Whether a file with these bytes at `SUPERBLOCK_AT` is an image. */
export function isSuperblock(bytes: Buffer): boolean {
  return bytes.readUInt32LE(0) === MAGIC;
}

/** Where the inodes stand in the image of this superblock. */
export function inodesOf(superblock: Buffer): { offset: number; size: number } {
  const count = Number(superblock.readBigUInt64LE(16));
  return { offset: superblock.readUInt32LE(40) * BLOCK, size: (count + 1) * INODE };
}

/** Gives the inodes other owners, each by the user that it had. */
export function changeOwners(inodes: Buffer, ownerOf: (uid: number) => { uid: number; gid: number }): void {
  const view = viewOf(inodes);
  for (let at = INODE; at < inodes.length; at += INODE) {
    const { uid, gid } = ownerOf(view.getUint16(at + 24, LITTLE));
    if (uid > MAX_ID || gid > MAX_ID) throw new RangeError('no image has room for the owner of a release');
    view.setUint16(at + 24, uid, LITTLE);
    view.setUint16(at + 26, gid, LITTLE);
  }
}

function padded(content: Buffer): Buffer {
  const whole = Buffer.alloc(Math.max(blocksOf(content.length), 1) * BLOCK);
  content.copy(whole);
  return whole;
}

function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK);
}
