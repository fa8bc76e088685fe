/** A manifest from what was found on disk. */
import {
  comparePaths,
  findCollision,
  linkStaysInside,
  type Manifest,
  type ManifestFile,
  type ManifestLink,
  SlError,
} from '@silverlining/protocol';

/** Sorts what was found, and refuses what could not be deployed. E_APP_CONFIG names the path. */
export function buildManifest(app: string, files: readonly ManifestFile[], links: readonly ManifestLink[]): Manifest {
  for (const link of links) {
    if (linkStaysInside(link.path, link.target)) continue;
    const where = `${link.path} -> ${link.target}`;
    throw new SlError('E_APP_CONFIG', `app ${app}: link ${where} points out of the folder that is deployed`);
  }
  const collision = findCollision([...files, ...links].map((entry) => entry.path));
  if (collision !== undefined) throw new SlError('E_APP_CONFIG', `app ${app}: ${collision}; rename one of them`);
  return { version: 1, app, files: [...files].sort(comparePaths), links: [...links].sort(comparePaths) };
}

/** Bytes of all its files. */
export function bytesOf({ files }: Pick<Manifest, 'files'>): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

/** Says why a name cannot be deployed; undefined when it can. */
export function badName(name: string): string | undefined {
  if (name.includes('\\')) return 'has a backslash in its name';
  if (/\p{Cc}/u.test(name)) return 'has a control character in its name';
  // What readdir makes of bytes that are no UTF-8.
  if (name.includes('\uFFFD')) return 'has a name that is not UTF-8';
  return undefined;
}
