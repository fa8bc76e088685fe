import { existsSync, readFileSync } from 'node:fs';
import { manifest as manifestSchema } from '@silverlining/protocol';
import { LISTING } from '@silverlining/system';
import { Listing } from '../../core/release/listing.ts';

/** The list of files in a full tree as earlier agents wrote it. */
const FORMER = 'manifest.json';

/**
 * Reads the listings of full trees, which never change. What was read is remembered until memory is wanted for something else:
 * within one deploy it is asked for several times, and then not for hours.
 */
export function listingReader(
  folderOf: (instance: string) => string,
): (instance: string) => Promise<Listing | undefined> {
  const known = new Map<string, WeakRef<Listing>>();
  return async (instance) => {
    const folder = folderOf(instance);
    try {
      const remembered = known.get(instance)?.deref();
      if (remembered !== undefined && isThere(folder)) return remembered;
      const read = readListing(folder);
      known.clear();
      known.set(instance, new WeakRef(read));
      return read;
    } catch {
      // Missing or cut by a crash: either way there is no release that could be trusted.
      return undefined;
    }
  };
}

function isThere(folder: string): boolean {
  return existsSync(`${folder}/${LISTING}`) || existsSync(`${folder}/${FORMER}`);
}

function readListing(folder: string): Listing {
  if (existsSync(`${folder}/${LISTING}`)) return Listing.read(readFileSync(`${folder}/${LISTING}`, 'utf8'));
  return Listing.of(manifestSchema.parse(JSON.parse(readFileSync(`${folder}/${FORMER}`, 'utf8'))));
}
