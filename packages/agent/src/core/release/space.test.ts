import { describe, expect, it } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { checkSpace, type NewFiles, spaceNeeded } from './space.ts';

describe('space', () => {
  const file = { path: 'app/a', mode: 0o644 as const, size: 100 << 20, sha256: '0'.repeat(64) };
  const release = { listing: listingOf([file]), missing: [file], isLayer: false, takesImages: true };

  it('is refused with need and free, for bytes and for inodes', () => {
    expect(() => checkSpace(release, { bytes: 64 << 20, inodes: undefined })).toThrow(
      /needs 101 MiB and 32 MiB to spare; 64 MiB are free/,
    );
    expect(() => checkSpace(release, { bytes: 2 ** 40, inodes: 10 })).toThrow(/needs 2 inodes .* 10 inodes are free/);
    expect(() => checkSpace({ ...release, missing: [] }, { bytes: 64 << 20, inodes: 1000 })).not.toThrow();
  });

  it.each<[string, Partial<NewFiles>, { blocks: number; inodes: number }]>([
    ['an image', {}, { blocks: 300, inodes: 300 }],
    ['links, of what came as for an image', { takesImages: false }, { blocks: 2 * 300, inodes: 300 }],
    ['copies, of what came as for an image', { isCopied: true }, { blocks: 3 * 300, inodes: 2 * 300 }],
    ['links to what is there', { takesImages: false, missing: [] }, { blocks: 0, inodes: 0 }],
    ['copies of what is there', { isCopied: true, missing: [] }, { blocks: 300, inodes: 300 }],
  ])('of many files is that of %s', (_form, how, { blocks, inodes }) => {
    const files = Array.from({ length: 300 }, (_, i) => ({ ...file, path: `app/${i}`, size: 1 }));
    const folders = 1;
    expect(
      spaceNeeded({ listing: listingOf(files), missing: files, isLayer: false, takesImages: true, ...how }),
    ).toEqual({
      bytes: 4096 * (blocks + folders),
      inodes: inodes + folders,
    });
  });
});
