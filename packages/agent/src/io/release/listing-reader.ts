import { existsSync, readFileSync, statSync } from 'node:fs';
import { manifest as manifestSchema } from '@silverlining/protocol';
import { LISTING } from '@silverlining/system';
import { Listing } from '../../core/release/listing.ts';
import { type LineCounts, ListingFile } from './listing-file.ts';

/** The list of files in a full tree as earlier agents wrote it. */
const FORMER = 'manifest.json';

interface Known {
  /** Path, inode, length and time of the file. */
  file: string;
  listing: WeakRef<Listing>;
  counts: LineCounts;
}

/**
 * Reads the listings of full trees, which never change. The last one is remembered until memory is wanted for something else: within
 * one deploy it is asked for several times, and then not for hours. What was counted stays, as that is next to nothing.
 */
export function listingReader(
  folderOf: (instance: string) => string,
): (instance: string) => Promise<Listing | undefined> {
  let known: Known | undefined;
  const read = (folder: string): Listing => {
    const isFormer = !existsSync(`${folder}/${LISTING}`);
    const path = `${folder}/${isFormer ? FORMER : LISTING}`;
    const { ino, size, mtimeMs } = statSync(path);
    const file = [path, ino, size, mtimeMs].join(' ');
    const before = known?.file === file ? known : undefined;
    const remembered = before?.listing.deref();
    if (remembered !== undefined) return remembered;
    const counts = before?.counts ?? {};
    const listing = isFormer ? readFormer(path) : Listing.read(new ListingFile(path, { length: size, counts }));
    known = { file, listing: new WeakRef(listing), counts };
    return listing;
  };
  return async (instance) => {
    try {
      return read(folderOf(instance));
    } catch {
      // Missing or cut by a crash: either way there is no release that could be trusted.
      return undefined;
    }
  };
}

function readFormer(path: string): Listing {
  return Listing.of(manifestSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
}
