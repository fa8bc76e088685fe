/** Brings what a staging wrote to disk. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { instanceUnit } from '@silverlining/protocol';
import { errno, syncPath } from '@silverlining/system';
import { mountUnitName } from '../../core/release/layer.ts';
import { instancePaths, type ReleasePaths } from '../../core/release/paths.ts';
import type { Written } from '../../release-ports.ts';
import { diskFull } from './disk-full.ts';
import { syncFileSystems } from './sync.ts';

/** With more files and folders than this, one sync of the file systems is quicker than one of each. */
const FEW = 64;

/**
 * Of an instance that is a layer of a few files, or that was there before, each file and folder by itself: the process that syncs a whole
 * file system takes several times as long, of the disk and of the processor, which all nodes of a set may share. E_DISK_FULL.
 */
export async function syncWritten(paths: ReleasePaths, written: Written): Promise<void> {
  const few = written === 'anything' ? undefined : writtenFor(paths, written);
  // Units are in /etc and links in /var/www, which may be file systems of their own.
  if (few === undefined) return syncFileSystems(paths.releases, paths.units, paths.www);
  try {
    await Promise.all(few.map(syncIfThere));
  } catch (error) {
    throw diskFull(undefined, error);
  }
}

/** All that staging writes for an instance, or may have; undefined when that is much. */
function writtenFor(paths: ReleasePaths, { app, instance, isNew }: Exclude<Written, string>): string[] | undefined {
  const files = isNew ? filesOfLayer(`${paths.layers}/${instance}`) : [];
  if (files === undefined) return undefined;
  const { release, env, temp, logs } = instancePaths(paths, app, instance);
  const units = [instanceUnit(instance), mountUnitName(release)].map((name) => `${paths.units}/${name}`);
  const folders = [paths.layers, paths.releases, paths.www, paths.units, `${paths.units}/multi-user.target.wants`];
  const parents = [env, temp, logs, dirname(temp)].map((path) => dirname(path));
  return [...new Set([...files, ...units, ...folders, env, temp, logs, ...parents])];
}

/**
 * A layer's folder, and the files and folders in it; links and device files are nothing but entries of their folders. Undefined where
 * they are many, and of what is no layer: that has many, or is the first release of an app, for which a user was made.
 */
function filesOfLayer(folder: string): string[] | undefined {
  if (!existsSync(`${folder}/layer.json`)) return undefined;
  const found = [folder];
  const look = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (found.length > FEW) return;
      const isFolder = entry.isDirectory();
      if (isFolder || entry.isFile()) found.push(`${path}/${entry.name}`);
      if (isFolder) look(`${path}/${entry.name}`);
    }
  };
  look(folder);
  return found.length > FEW ? undefined : found;
}

/** Of what a static app has not, as its unit, nothing was written. */
async function syncIfThere(path: string): Promise<void> {
  try {
    await syncPath(path);
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error;
  }
}
