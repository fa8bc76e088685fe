/** Mounts where nothing can be mounted: none at all, or copies of what the kernel would show. */
import {
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { SlError } from '@silverlining/protocol';
import type { Mounts } from '../../packages/agent/src/io/release/mounts.ts';
import { unpackErofs } from './erofs-reader.ts';

/** Of a kernel without them. */
export const NO_MOUNTS: Mounts = {
  mount: ({ type }) => Promise.reject(new SlError('E_RESOURCE', `mount: unknown filesystem type ${type}`)),
  unmount: () => Promise.reject(new SlError('E_INTERNAL', 'umount: not mounted')),
  mounted: async () => new Set(),
  shared: async () => new Set(),
  makeWhiteout: (path) => writeFile(path, WHITEOUT),
};

const WHITEOUT = 'whiteout';

/** Mounts that last as long as this object does, as those of a kernel until it boots. */
export function copiedMounts(): Mounts & { points: Set<string> } {
  const points = new Set<string>();
  const below = async (folder: string) =>
    new Set([...points].filter((it) => it.startsWith(`${folder}/`)).map((it) => it.slice(folder.length + 1)));
  return {
    points,
    mount: async ({ path, type, source, options }) => {
      if (type === 'overlay') copyOverlay(path, options);
      else unpackErofs(source, path);
      points.add(path);
    },
    unmount: async (path) => {
      points.delete(path);
      rmSync(path, { recursive: true });
      mkdirSync(path);
    },
    mounted: below,
    shared: below,
    makeWhiteout: (path) => writeFile(path, WHITEOUT),
  };
}

function copyOverlay(path: string, mountOptions: string): void {
  const [layer = '', base = ''] = /lowerdir=(.*)$/.exec(mountOptions)?.[1]?.split(':') ?? [];
  cpSync(base, path, { recursive: true, verbatimSymlinks: true });
  coverWith(layer, path);
}

/** What the layer has of a folder hides what is below, unless both are folders. */
function coverWith(layer: string, path: string): void {
  mkdirSync(path, { recursive: true });
  for (const entry of readdirSync(layer, { withFileTypes: true })) {
    const [from, to] = [`${layer}/${entry.name}`, `${path}/${entry.name}`];
    const isOverFolder = lstatSync(to, { throwIfNoEntry: false })?.isDirectory() === true;
    if (!entry.isDirectory() || !isOverFolder) rmSync(to, { recursive: true, force: true });
    if (entry.isDirectory()) coverWith(from, to);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else if (readFileSync(from, 'utf8') !== WHITEOUT) copyFileSync(from, to);
  }
}
