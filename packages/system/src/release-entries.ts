/** Folders and owners in a release, whatever it is made of. */
import type { ManifestFile } from '@silverlining/protocol';
import type { FileOwner } from './durable-file.ts';

export interface TreeOwners {
  /** Owns the release. */
  release: FileOwner;
  /** root, with the app's group: owns the configuration. */
  config: FileOwner;
}

/** All folders above the paths, parents first; `app` and `config` are there even when they are empty. */
export function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set(['app', 'config']);
  for (const path of paths) {
    let end = path.lastIndexOf('/');
    while (end > 0 && !folders.has(path.slice(0, end))) {
      folders.add(path.slice(0, end));
      end = path.lastIndexOf('/', end - 1);
    }
  }
  return [...folders].sort();
}

export function ownerOf(path: string, owners: TreeOwners): FileOwner {
  return isConfig(path) ? owners.config : owners.release;
}

export function isConfig(path: string): boolean {
  return path === 'config' || path.startsWith('config/');
}

/** Configuration is for its app alone. */
export function modeOf(file: ManifestFile): number {
  if (!isConfig(file.path)) return file.mode;
  return file.mode === 0o755 ? 0o750 : 0o640;
}
