import { Duplex } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { type Manifest, type ManifestFile, manifestText } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { readListing } from './unpack.ts';

const signal = new AbortController().signal;
const file = (path: string): ManifestFile => ({ path, mode: 0o644, size: 1, sha256: '0'.repeat(64) });
const manifest: Manifest = { version: 1, app: 'blog', files: [file('app/a'), file('app/b')], links: [] };
const text = manifestText(manifest);
const zstd = (value: unknown) =>
  zstdCompressSync(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const read = (bytes: Buffer) => readListing(Duplex.from([bytes]), signal);

describe('a manifest over a transfer', () => {
  it.each<[string, unknown]>([
    ['text', text],
    ['JSON', manifest],
    ['JSON of the next version', { ...manifest, ofTheNextVersion: 1 }],
  ])('is what was sent as %s', async (_what, sent) => {
    const listing = await read(zstd(sent));
    expect([listing.manifest(), listing.text]).toEqual([manifest, text]);
  });

  it.each<[string, Buffer, string]>([
    ['a path outside', zstd({ ...manifest, files: [file('../etc/passwd')] }), 'E_MANIFEST'],
    ['a setuid mode', zstd({ ...manifest, files: [{ ...file('app/a'), mode: 0o4755 }] }), 'E_MANIFEST'],
    ['names that differ in case', zstd({ ...manifest, files: [file('app/A'), file('app/a')] }), 'E_MANIFEST'],
    ['the same as text', zstd(text.replace('app/a', 'app/B')), 'E_MANIFEST'],
    ['no JSON', zstd('{'), 'E_MANIFEST'],
    ['text that is cut', zstd(text.slice(0, -5)), 'E_MANIFEST'],
    ['a cut', zstd(manifest).subarray(0, -5), 'E_MANIFEST'],
    ['no zstd', Buffer.from('hello'), 'E_MANIFEST'],
  ])('is refused with %s', async (_what, bytes, code) => {
    await expect(read(bytes)).rejects.toMatchObject({ code });
  });

  it('is given up when the session ends', async () => {
    const silent = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    await expect(readListing(silent, AbortSignal.abort())).rejects.toMatchObject({ code: 'E_ABORTED' });
  });
});
