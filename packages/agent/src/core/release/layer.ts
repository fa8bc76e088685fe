/**
 * Releases that are mounts: an image of a whole release, or a layer over an earlier one that is there in full, which is what
 * differs, seen through a read-only overlay. Pure decisions; `io/release/layers.ts` acts on them.
 */
import { CHUNKED_FROM, instanceName, instanceUnit, type ManifestFile, manifestChanges } from '@silverlining/protocol';
import * as z from 'zod/mini';
import type { Listing } from './listing.ts';

/** `layer.json` of a layered release. Its manifest is that of the base with the changes. */
export const layerRecord = z.object({ version: z.literal(1), base: instanceName, changes: manifestChanges });
export type Layer = Pick<z.infer<typeof layerRecord>, 'base' | 'changes'>;

/** With fewer files, linking them all is as quick as a mount. */
const FEWEST_FILES = 256;
/** When more than this part differs, a tree of its own becomes the next base. */
const LARGEST_PART = 1 / 4;

/** Whether a release had better be a layer than a tree of its own. */
export function worthLayering({ fileCount }: Listing, { files, links, removed }: Layer['changes']): boolean {
  const changed = files.length + links.length + removed.length;
  return fileCount >= FEWEST_FILES && changed <= fileCount * LARGEST_PART;
}

/**
 * Whether what comes had better be written into one file, which becomes an image of the release: that saves making, naming and
 * removing a file for each content, which is most of what many small ones cost.
 */
export function worthPacking(listing: Listing, missing: readonly ManifestFile[]): boolean {
  if (!isMost(missing.length, listing.fileCount)) return false;
  const listed = listing.manifest().files;
  const bytes = (files: readonly ManifestFile[]) => files.reduce((sum, file) => sum + file.size, 0);
  // Large ones are kept as files as well, since chunks of them may be wanted again.
  return bytes(listed.filter((file) => file.size >= CHUNKED_FROM)) <= bytes(listed) * LARGEST_PART;
}

/** Whether that many of a release's files are so many that it is no layer. */
export function isMost(count: number, files: number): boolean {
  return count >= FEWEST_FILES && count > files * LARGEST_PART;
}

/** Paths that the layer has to hide: what was removed or, where a whole folder went, that folder, parents first. */
export function hiddenPaths(listing: Listing, removed: readonly string[]): string[] {
  const hidden = removed.map((path) => foldersAbove(path).find((folder) => !listing.holds(folder)) ?? path);
  // What took the place of a folder, or of a folder above it, hides it by itself, and so does a folder in the place of a file.
  const isHidden = (path: string) => [path, ...foldersAbove(path)].some((it) => listing.has(it)) || listing.holds(path);
  return [...new Set(hidden)].filter((path) => !isHidden(path)).sort();
}

/** Folders above a path, without the two parts that every release has. */
function foldersAbove(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(2).map((_part, i) => parts.slice(0, i + 2).join('/'));
}

export interface ReleaseMount {
  instance: string;
  /** Where the release is seen. */
  path: string;
  type: 'overlay' | 'erofs';
  source: string;
  options: string;
  /** What has to be mounted before. */
  needs: string | undefined;
}

type MountPoint = Pick<ReleaseMount, 'instance' | 'path'>;

/** Of a layer over a base; with lower folders alone an overlay cannot be written to, by root either. */
export function overlayMount(point: MountPoint, { layer, base }: { layer: string; base: string }): ReleaseMount {
  const options = `ro,nosuid,nodev,lowerdir=${layer}:${base}`;
  return { ...point, type: 'overlay', source: 'silverlining', options, needs: base };
}

export function imageMount(point: MountPoint, image: string): ReleaseMount {
  return { ...point, type: 'erofs', source: image, options: 'loop,ro,nosuid,nodev', needs: undefined };
}

/** The unit that brings the mount back at boot, before what needs it. */
export function mountUnitText({ instance, path, type, source, options, needs }: ReleaseMount): string {
  return `[Unit]
Description=Silver Lining: files of ${instance}
Before=${instanceUnit(instance)} apache2.service silver-agent.service
${needs === undefined ? '' : `RequiresMountsFor=${needs}\n`}
[Mount]
What=${source}
Where=${path}
Type=${type}
Options=${options}
LazyUnmount=yes

[Install]
WantedBy=multi-user.target
`;
}

/** The name that systemd insists on for the unit of a mount point, as `systemd-escape --path` has it. */
export function mountUnitName(path: string): string {
  const escaped = path
    .replace(/^\//, '')
    .replace(/[^A-Za-z0-9:_./]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('/', '-');
  return `${escaped}.mount`;
}

/** Mount points directly below a folder, by name, from the text of a `mountinfo`. Names of instances need no unescaping. */
export function mountsIn(mountinfo: string, folder: string): Set<string> {
  const points = mountinfo.split('\n').map((line) => line.split(' ')[4] ?? '');
  const names = points.filter((it) => it.startsWith(`${folder}/`)).map((it) => it.slice(folder.length + 1));
  return new Set(names.filter((name) => !name.includes('/')));
}
