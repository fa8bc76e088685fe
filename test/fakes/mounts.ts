/** Mounts where nothing can be mounted: none at all, or copies of what the kernel would show. */
import { cp, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
      if (type === 'overlay') await copyOverlay(path, options);
      else await unpackErofs(source, path);
      points.add(path);
    },
    unmount: async (path) => {
      points.delete(path);
      await rm(path, { recursive: true });
      await mkdir(path);
    },
    mounted: below,
    shared: below,
    makeWhiteout: (path) => writeFile(path, WHITEOUT),
  };
}

async function copyOverlay(path: string, mountOptions: string): Promise<void> {
  const [layer = '', base = ''] = /lowerdir=(.*)$/.exec(mountOptions)?.[1]?.split(':') ?? [];
  await readdir(base);
  const options = { recursive: true, verbatimSymlinks: true };
  await cp(base, path, options);
  for (const name of await readdir(layer, { recursive: true })) {
    const text = await readFile(`${layer}/${name}`, 'utf8').catch(() => '');
    if (text === WHITEOUT) await rm(`${path}/${name}`, { recursive: true });
    // A folder over anything else hides it, and the reverse.
    else if ((await isFolder(`${layer}/${name}`)) !== (await isFolder(`${path}/${name}`)))
      await rm(`${path}/${name}`, { recursive: true, force: true });
  }
  await cp(layer, path, { ...options, filter: async (it) => (await textOf(it)) !== WHITEOUT });
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true;
}

function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
