import { comparePaths, type ManifestFile, type ManifestLink } from '@silverlining/protocol';
import { Listing } from '../../packages/agent/src/core/release/listing.ts';

/** Of a release of the app `blog`. */
export function listingOf(files: readonly ManifestFile[], links: readonly ManifestLink[] = []): Listing {
  return Listing.of({
    ...{ version: 1, app: 'blog' },
    ...{ files: files.toSorted(comparePaths), links: links.toSorted(comparePaths) },
  });
}
