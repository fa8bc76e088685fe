import { readFile } from 'node:fs/promises';
import { exec } from '@silverlining/system';
import { type LayerMount, mountsIn, overlayOptions } from '../../core/release/layer.ts';

/** Mounts of layered releases. */
export interface Overlays {
  mount(it: Pick<LayerMount, 'path' | 'lower'>): Promise<void>;
  /** Takes a mount away, in use or not; whoever has a file of it open keeps that file. */
  unmount(path: string): Promise<void>;
  /** Names of the mount points directly below a folder. */
  mounted(folder: string): Promise<Set<string>>;
  /** Those of them that everything on the node sees: a service in a mount namespace of its own mounts for itself alone. */
  shared(folder: string): Promise<Set<string>>;
  /** Makes a device file that hides what is below it. */
  makeWhiteout(path: string): Promise<void>;
}

export const overlays: Overlays = {
  mount: async ({ path, lower }) => {
    await exec(['mount', '-t', 'overlay', '-o', overlayOptions(lower), '--', 'silverlining', path]);
  },
  unmount: async (path) => {
    await exec(['umount', '--lazy', '--', path]);
  },
  mounted: async (folder) => mountsIn(await readFile('/proc/self/mountinfo', 'utf8'), folder),
  // All others get what init has.
  shared: async (folder) => mountsIn(await readFile('/proc/1/mountinfo', 'utf8'), folder),
  makeWhiteout: async (path) => {
    await exec(['mknod', '--', path, 'c', '0', '0']);
  },
};
