import { Duplex } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readManifest } from './unpack.ts';

const signal = new AbortController().signal;
const file = (path: string) => ({ path, mode: 0o644, size: 1, sha256: '0'.repeat(64) });
const manifest = { version: 1, app: 'blog', files: [file('app/a'), file('app/b')], links: [] };
const zstd = (value: unknown) => zstdCompressSync(Buffer.from(JSON.stringify(value)));
const read = (bytes: Buffer) => readManifest(Duplex.from([bytes]), signal);

describe('a manifest over a transfer', () => {
  it('is what was sent', async () => {
    expect(await read(zstd(manifest))).toEqual(manifest);
    expect(await read(zstd({ ...manifest, ofTheNextVersion: 1 }))).toEqual(manifest);
  });

  it.each<[string, Buffer, string]>([
    ['a path outside', zstd({ ...manifest, files: [file('../etc/passwd')] }), 'E_MANIFEST'],
    ['a setuid mode', zstd({ ...manifest, files: [{ ...file('app/a'), mode: 0o4755 }] }), 'E_MANIFEST'],
    ['names that differ in case', zstd({ ...manifest, files: [file('app/A'), file('app/a')] }), 'E_MANIFEST'],
    ['no JSON', zstdCompressSync(Buffer.from('{')), 'E_MANIFEST'],
    ['a cut', zstd(manifest).subarray(0, -5), 'E_MANIFEST'],
    ['no zstd', Buffer.from('hello'), 'E_MANIFEST'],
  ])('is refused with %s', async (_what, bytes, code) => {
    await expect(read(bytes)).rejects.toMatchObject({ code });
  });

  it('is given up when the session ends', async () => {
    const silent = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    await expect(readManifest(silent, AbortSignal.abort())).rejects.toMatchObject({ code: 'E_ABORTED' });
  });
});
