/** Contents that are files of their own, in folders by the first two digits of their keys. */
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { errno } from '@silverlining/system';

/** The keys of all that is in the store's folder. */
export function readKeys(folder: string): Set<string> {
  const keys = new Set<string>();
  for (const prefix of readdirSync(folder)) {
    if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
    for (const rest of readdirSync(`${folder}/${prefix}`)) keys.add(prefix + rest);
  }
  return keys;
}

/** `folder`, that of `to`, is made when it is missing. */
export function renameInto(from: string, to: string, folder: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    renameSync(from, to);
  }
}
