import { CHUNKED_FROM } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { checkSpace, type NewFiles, spaceNeeded } from './space.ts';

const sized = (path: string, size: number) => ({ path, mode: 0o644 as const, size, sha256: '0'.repeat(64) });

describe('space', () => {
  const file = sized('app/a', 100 << 20);
  const release: NewFiles = { listing: listingOf([file]), missing: [file], packed: [], form: 'links' };

  it('is refused with need and free, for bytes and for inodes', () => {
    expect(() => checkSpace(release, { bytes: 64 << 20, inodes: undefined })).toThrow(
      /needs 101 MiB and 32 MiB to spare; 64 MiB are free/,
    );
    expect(() => checkSpace(release, { bytes: 2 ** 40, inodes: 10 })).toThrow(/needs 2 inodes .* 10 inodes are free/);
    expect(() => checkSpace({ ...release, missing: [] }, { bytes: 64 << 20, inodes: 1000 })).not.toThrow();
  });

  it.each<[NewFiles['form'], number]>([
    ['links', 1 + 2 + 4],
    ['copies', 1 + 2 + (1 + 2 + 4 + 8)],
    ['image', 1 + 2 + 4 + 8],
  ])('is counted for each time that a content is written: %s', (form, blocks) => {
    const [missing, packed] = [sized('app/missing', 4096), sized('app/packed', 2 * 4096)];
    const others = [sized('config/c', 4 * 4096), sized('app/here', 8 * 4096)];
    const listing = listingOf([missing, packed, ...others]);
    const { bytes } = spaceNeeded({ listing, missing: [missing], packed: [packed], form });
    const folders = 2;
    expect(bytes / 4096).toBe(blocks + folders);
  });

  it('of an image is that of its large files once more', () => {
    const large = sized('app/large', CHUNKED_FROM);
    const listing = listingOf([large]);
    const { bytes } = spaceNeeded({ listing, missing: [large], packed: [], form: 'image' });
    expect(bytes).toBe(2 * CHUNKED_FROM + 4096);
  });
});
