import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs';
import { type Manifest, type ManifestFile, SlError, toSlError } from '@silverlining/protocol';
import { copyFile, rename, rm } from '@silverlining/system';
import { blobKey } from './blob-keys.ts';
import type { DiskContentStore } from './content-store.ts';
import { diskFull, lostContent } from './disk-full.ts';
import { BLOCK, erofsMetadata, type ImageEntry, isSuperblock, SUPERBLOCK_AT, SUPERBLOCK_SIZE } from './erofs.ts';
import { type Pack, readPart } from './pack.ts';
import type { Packed } from './pack-index.ts';
import { PackWriter } from './pack-writer.ts';
import { foldersOf, isConfig, modeOf, ownerOf, type TreeOwners } from './release-entries.ts';

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
  await copyLacking(input, writer);
  const entries = entriesOf(input, writer);
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

function entriesOf({ pack, release, own, owners }: ImageInput, writer: PackWriter): ImageEntry[] {
  const { manifest, support } = release;
  const owned = (path: string) => ({ path, ...ownerOf(path, owners) });
  const folders = ['', ...foldersOf([...manifest.files, ...manifest.links].map((it) => it.path)), 'support'];
  const added = (path: string, text: string, mode: number): ImageEntry => {
    return { ...owned(path), kind: 'file', mode, ...writer.append(Buffer.from(text)) };
  };
  return [
    ...folders.map((path): ImageEntry => ({ ...owned(path), kind: 'folder', mode: isConfig(path) ? 0o750 : 0o755 })),
    ...manifest.files.map((file): ImageEntry => {
      return { ...owned(file.path), kind: 'file', mode: modeOf(file), ...placeOf(file, pack, writer) };
    }),
    ...manifest.links.map(({ path, target }): ImageEntry => ({ ...owned(path), kind: 'link', target })),
    ...Object.entries(support).map(([name, text]) => added(`support/${name}`, text, 0o644)),
    ...Object.entries(own).map(([name, text]) => ({ ...added(name, text, 0o600), uid: 0, gid: 0 })),
  ];
}

function placeOf(file: ManifestFile, pack: Pack, writer: PackWriter): Packed {
  const place = pack.find(blobKey(file)) ?? writer.contents.get(blobKey(file));
  if (place === undefined) throw new SlError('E_INTERNAL', `${file.path} has no place in the image`);
  return place;
}

function writeSuperblock(path: string, superblock: Buffer): void {
  const descriptor = openSync(path, 'r+');
  try {
    writeSync(descriptor, superblock, 0, superblock.length, SUPERBLOCK_AT);
  } finally {
    closeSync(descriptor);
  }
}
