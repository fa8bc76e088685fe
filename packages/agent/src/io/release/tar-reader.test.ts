import type { ManifestFile } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { type TarEntry, tarOf } from '../../../../../test/builders/tar-archive.ts';
import { Admission } from '../../core/release/admission.ts';
import { TarReader } from './tar-reader.ts';

/** A path that needs an extended header, an empty file, and one that is a block exactly. */
const ENTRIES: TarEntry[] = [
  { path: `app/${'ü'.repeat(120)}`, content: 'x'.repeat(1500) },
  { path: 'app/empty', content: '' },
  { path: 'app/block', content: 'b'.repeat(512) },
];
const TAR = tarOf(ENTRIES);

/** What comes of the tar in pieces of so many bytes that all come in the same memory, as those of a bulk socket may. */
async function read(size: number): Promise<string[]> {
  const files = ENTRIES.map(({ path, content = '' }): ManifestFile => {
    return { path, mode: 0o644, size: content.length, sha256: '0'.repeat(64) };
  });
  const bodies: string[] = [];
  const reader = new TarReader(new Admission(listingOf(files), files), {
    begin: () => void bodies.push(''),
    data: (chunk) => void bodies.push(bodies.pop() + chunk.toString('latin1')),
    end: () => undefined,
  });
  const memory = Buffer.alloc(size);
  for (let at = 0; at < TAR.length; at += size) {
    const length = TAR.copy(memory, 0, at, at + size);
    await reader.push(memory.subarray(0, length));
    memory.fill(0xff);
  }
  reader.finish();
  return bodies;
}

it.each([1, 7, 100, 511, 512, 513, 1000, 4096, TAR.length])(
  'reads a tar whose pieces of %i bytes nobody may keep',
  async (size) => {
    expect(await read(size)).toEqual(ENTRIES.map(({ content }) => content));
  },
);
