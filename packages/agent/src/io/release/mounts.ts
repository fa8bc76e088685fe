import { readFileSync } from 'node:fs';
import { exec } from '@silverlining/system';
import { mountsIn, type ReleaseMount } from '../../core/release/layer.ts';

/** Mounts of releases. */
export interface Mounts {
  /** E_RESOURCE when the node does not mount such a thing. */
  mount(it: Pick<ReleaseMount, 'path' | 'type' | 'source' | 'options'>): Promise<void>;
  /** Takes a mount away, in use or not; whoever has a file of it open keeps that file. */
  unmount(path: string): Promise<void>;
  /** Names of the mount points directly below a folder. */
  mounted(folder: string): Promise<Set<string>>;
  /** Those of them that everything on the node sees: a service in a mount namespace of its own mounts for itself alone. */
  shared(folder: string): Promise<Set<string>>;
  /** Makes a device file that hides what is below it. E_RESOURCE when the node does not allow that. */
  makeWhiteout(path: string): Promise<void>;
}

export const mounts: Mounts = {
  mount: async ({ path, type, source, options }) => {
    await exec(['mount', '-t', type, '-o', options, '--', source, path], { code: 'E_RESOURCE' });
  },
  unmount: async (path) => {
    await exec(['umount', '--lazy', '--', path]);
  },
  mounted: async (folder) => mountsIn(readFileSync('/proc/self/mountinfo', 'utf8'), folder),
  // All others get what init has.
  shared: async (folder) => mountsIn(readFileSync('/proc/1/mountinfo', 'utf8'), folder),
  makeWhiteout: async (path) => {
    await exec(['mknod', '--', path, 'c', '0', '0'], { code: 'E_RESOURCE' });
  },
};
