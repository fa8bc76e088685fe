import { describe, expect, it } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { checkSpace } from './space.ts';

describe('space', () => {
  const file = { path: 'app/a', mode: 0o644 as const, size: 100 << 20, sha256: '0'.repeat(64) };
  const release = { listing: listingOf([file]), missing: [file], isLayer: false };

  it('is refused with need and free, for bytes and for inodes', () => {
    expect(() => checkSpace(release, { bytes: 64 << 20, inodes: undefined })).toThrow(
      /needs 101 MiB and 32 MiB to spare; 64 MiB are free/,
    );
    expect(() => checkSpace(release, { bytes: 2 ** 40, inodes: 10 })).toThrow(/needs 2 inodes .* 10 inodes are free/);
    expect(() => checkSpace({ ...release, missing: [] }, { bytes: 64 << 20, inodes: 1000 })).not.toThrow();
  });
});
