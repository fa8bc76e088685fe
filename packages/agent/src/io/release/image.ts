import { closeSync, constants, openSync, statSync } from 'node:fs';
import { type Manifest, type ManifestFile, SlError, toSlError } from '@silverlining/protocol';
import {
  BLOCK,
  blobKey,
  changeOwners,
  copyFile,
  erofsMetadata,
  imageEntries,
  inodesOf,
  isSuperblock,
  ownerOfSymbol,
  type Packed,
  rename,
  rm,
  SUPERBLOCK_AT,
  SUPERBLOCK_SIZE,
  type TreeOwners,
} from '@silverlining/system';
import type { DiskContentStore } from './content-store.ts';
import { diskFull, diskFullAs, lostContent } from './disk-full.ts';
import { type Pack, readPart } from './pack.ts';
import { PackWriter } from './pack-writer.ts';
import { writeAll } from './write-all.ts';

export interface ImageInput {
  pack: Pack;
  release: { manifest: Manifest; support: Record<string, string> };
  /** Extra files of the agent's own in the root, name to content. */
  own: Record<string, string>;
  store: DiskContentStore;
  owners: TreeOwners;
}

/**
 * Makes the file of the pack an image of the release. The contents stay where they are; those that the pack lacks are copied
 * into it, and the metadata follow. E_MANIFEST when the store lacks a content after all.
 */
export async function writeImage(input: ImageInput): Promise<void> {
  const { pack } = input;
  await giveNewFile(pack.data);
  const writer = PackWriter.append(pack.folder, Math.ceil(statSync(pack.data).size / BLOCK) * BLOCK);
  let superblock: Buffer;
  try {
    superblock = await writeRest(input, writer);
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  await writer.finish();
  for (const [key, place] of writer.contents) pack.add(key, place);
  writeSuperblock(pack.data, superblock);
}

/**
 * What was an image once may be mounted still: a mount that was taken away lives on for as long as somebody stands in it. The kernel
 * goes by the file, and would show that mount in place of the new image; so this gets a file that was never mounted.
 */
async function giveNewFile(data: string): Promise<void> {
  const first = readPart(data, { offset: SUPERBLOCK_AT, size: SUPERBLOCK_SIZE });
  if (first === undefined || !isSuperblock(first)) return;
  const copy = `${data}.copy`;
  try {
    await copyFile(data, copy, constants.COPYFILE_FICLONE);
    writeSuperblock(copy, Buffer.alloc(SUPERBLOCK_SIZE));
    await rename(copy, data);
  } catch (error) {
    await rm(copy, { force: true });
    throw diskFull(undefined, error);
  }
}

async function writeRest(input: ImageInput, writer: PackWriter): Promise<Buffer> {
  const { pack, release, own, owners } = input;
  await copyLacking(input, writer);
  const added = (files: Record<string, string>) =>
    Object.fromEntries(Object.entries(files).map(([name, text]) => [name, writer.append(Buffer.from(text))]));
  const entries = imageEntries({
    manifest: release.manifest,
    owners,
    placeOf: (file) => placeOf(file, pack, writer),
    support: added(release.support),
    own: added(own),
  });
  const builtAt = Math.floor(Date.now() / 1000);
  const { blocks, superblock } = erofsMetadata(entries, { at: writer.position, builtAt });
  writer.append(blocks);
  return superblock;
}

async function copyLacking({ pack, release, store }: ImageInput, writer: PackWriter): Promise<void> {
  for (const file of release.manifest.files) {
    const key = blobKey(file);
    if (pack.find(key) !== undefined || writer.contents.has(key)) continue;
    const { path, offset = 0 } = store.locate(file);
    try {
      await writer.copy(file, { path, offset });
    } catch (error) {
      if (toSlError(error).code === 'E_DISK_FULL') throw error;
      store.forget(file);
      throw lostContent(file, error);
    }
  }
}

function placeOf(file: ManifestFile, pack: Pack, writer: PackWriter): Packed {
  const place = pack.find(blobKey(file)) ?? writer.contents.get(blobKey(file));
  if (place === undefined) throw new SlError('E_INTERNAL', `${file.path} has no place in the image`);
  return place;
}

/** In an image that came as such, as it came: the owners that this node has in place of those that all nodes have. E_MANIFEST when it is none. */
export function writeOwners(data: string, owners: TreeOwners): void {
  const superblock = readPart(data, { offset: SUPERBLOCK_AT, size: SUPERBLOCK_SIZE });
  const place = superblock !== undefined && isSuperblock(superblock) ? inodesOf(superblock) : undefined;
  const inodes = place === undefined ? undefined : readPart(data, place);
  if (place === undefined || inodes === undefined) throw new SlError('E_MANIFEST', 'what came as an image is none');
  changeOwners(inodes, (uid) => ownerOfSymbol(uid, owners));
  diskFullAs(undefined, () => writeAt(data, inodes, place.offset));
}

function writeSuperblock(path: string, superblock: Buffer): void {
  writeAt(path, superblock, SUPERBLOCK_AT);
}

function writeAt(path: string, content: Buffer, position: number): void {
  const descriptor = openSync(path, 'r+');
  try {
    writeAll(descriptor, content, position);
  } finally {
    closeSync(descriptor);
  }
}
