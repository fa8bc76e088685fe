/**
 * How a release stands in an image. Agents make images of contents that came in any order; a controller lays a whole one out for nodes
 * that have nothing of the release.
 */
import type { Manifest, ManifestFile } from '@silverlining/protocol';
import { isBlobKey } from './blob-keys.ts';
import type { FileOwner } from './durable-file.ts';
import type { ImageEntry } from './erofs.ts';
import { foldersOf, isConfig, modeOf, ownerOf, type TreeOwners } from './release-entries.ts';

const ROOT: FileOwner = { uid: 0, gid: 0 };

/** In the root of a full tree: the text of its manifest. */
export const LISTING = 'manifest';

/** In an image that is the same for all nodes: who owns what, as no node numbers them. Root is root. */
export const SYMBOLIC_OWNERS: TreeOwners = { release: { uid: 1, gid: 1 }, config: { uid: 2, gid: 2 } };

/** Who that is on a node. */
export function ownerOfSymbol(uid: number, owners: TreeOwners): FileOwner {
  if (uid === 0) return ROOT;
  return uid === SYMBOLIC_OWNERS.config.uid ? owners.config : owners.release;
}

/** A content in a file that holds many. */
export interface Packed {
  offset: number;
  size: number;
}

export interface ImageFiles {
  manifest: Pick<Manifest, 'files' | 'links'>;
  owners: TreeOwners;
  /** Where the content of a file stands. */
  placeOf(file: ManifestFile): Packed;
  /** Files of `support/`, by name. */
  support: Readonly<Record<string, Packed>>;
  /** Files in the root that are for root alone, by name. */
  own: Readonly<Record<string, Packed>>;
}

/** All that is in the image, parents first. */
export function imageEntries({ manifest, owners, placeOf, support, own }: ImageFiles): ImageEntry[] {
  const owned = (path: string) => ({ path, ...ownerOf(path, owners) });
  const folders = ['', ...foldersOf([...manifest.files, ...manifest.links].map((it) => it.path)), 'support'];
  return [
    ...folders.map((path): ImageEntry => ({ ...owned(path), kind: 'folder', mode: isConfig(path) ? 0o750 : 0o755 })),
    ...manifest.files.map((file): ImageEntry => {
      return { ...owned(file.path), kind: 'file', mode: modeOf(file), ...placeOf(file) };
    }),
    ...manifest.links.map(({ path, target }): ImageEntry => ({ ...owned(path), kind: 'link', target })),
    ...Object.entries(support).map(([name, place]): ImageEntry => {
      return { ...owned(`support/${name}`), kind: 'file', mode: 0o644, ...place };
    }),
    ...Object.entries(own).map(([path, place]): ImageEntry => {
      return { path, ...ROOT, kind: 'file', mode: 0o600, ...place };
    }),
  ];
}

/** A line of the index of a file that holds contents. */
export function indexLine(key: string, { offset, size }: Packed): string {
  return `${key} ${offset} ${size}\n`;
}

/** Back from its text without its end; undefined where it is damaged. */
export function parseIndexLine(line: string): Packed | undefined {
  const [key = '', offset = '', size = ''] = line.split(' ');
  const place = { offset: Number(offset), size: Number(size) };
  const isPlace = isBlobKey(key) && Number.isSafeInteger(place.offset) && Number.isSafeInteger(place.size);
  return isPlace ? place : undefined;
}
