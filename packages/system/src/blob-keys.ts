import type { ManifestFile } from '@silverlining/protocol';

/** Key of a content: executables have an inode, so a key, of their own. */
export function blobKey(file: Pick<ManifestFile, 'sha256' | 'mode'>): string {
  return file.mode === 0o755 ? `${file.sha256}.x` : file.sha256;
}

/** Where a content is, below the store. */
export function blobPath(store: string, key: string): string {
  return `${store}/${key.slice(0, 2)}/${key.slice(2)}`;
}

/** Whether a name is a key. */
export function isBlobKey(name: string): boolean {
  return /^[0-9a-f]{64}(?:\.x)?$/.test(name);
}
