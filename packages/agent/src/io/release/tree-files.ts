/** What folders of releases and of layers have in common. */
import { lstatSync, readlinkSync, renameSync } from 'node:fs';
import type { Manifest } from '@silverlining/protocol';
import { errno } from '@silverlining/system';
import { removeTree } from '../remove-tree.ts';
import { inSlices } from './slices.ts';

/** How the name begins that a half-made or half-removed folder has until it is whole, or gone. */
export const PARTIAL = '.partial-';

/** Whether every file and link is below the folder, with its size or target. */
export async function holdsAllOf(
  folder: string,
  { files, links }: Pick<Manifest, 'files' | 'links'>,
): Promise<boolean> {
  let intact = true;
  await inSlices(files, (file) => {
    const stat = lstatSync(`${folder}/${file.path}`, { throwIfNoEntry: false });
    if (!stat?.isFile() || stat.size !== file.size) intact = false;
  });
  await inSlices(links, (link) => {
    const path = `${folder}/${link.path}`;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat?.isSymbolicLink() || readlinkSync(path) !== link.target) intact = false;
  });
  return intact;
}

/** Out of sight in one step, then removed: a crash in between leaves nothing that looks whole. */
export async function removeFolder(path: string, aside: string): Promise<void> {
  try {
    renameSync(path, aside);
  } catch (error) {
    if (errno(error) === 'ENOENT') return;
    throw error;
  }
  await removeTree(aside);
}
