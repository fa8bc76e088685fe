import { createHash } from 'node:crypto';
import { Duplex, Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { type Manifest, type ManifestFile, manifestText } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { noise } from '../../../../../test/bench/apps.ts';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { archiveOf } from '../../../../../test/builders/tar-archive.ts';
import { Admission } from '../../core/release/admission.ts';
import { readListing, unpack } from './unpack.ts';

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

it.each<[string, Error, string]>([
  [
    'a disk that fails',
    Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO', syscall: 'write' }),
    'release archive: it could not be taken in: EIO: i/o error, write',
  ],
  ['a content that is too short', new RangeError('a content is too short'), 'not be taken in: a content is too short'],
])('%s is not said to be what was sent', async (_what, error, text) => {
  const begin = () => Promise.reject(error);
  const sink = { begin, data: () => undefined, end: () => undefined };
  const archive = Readable.from([archiveOf([{ path: 'app/a', content: 'a' }])], { objectMode: false });
  const admission = new Admission(listingOf(manifest.files), [file('app/a')]);
  await expect(unpack(archive, { admission, sink }, signal)).rejects.toMatchObject({
    code: 'E_TAR_TRUNCATED',
    message: expect.stringContaining(text),
    cause: error,
  });
});

describe('a sender that is silent', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  /** More than is read ahead of what takes it. */
  const content = noise(16 << 20, 'content');
  const large: ManifestFile = {
    ...{ path: 'app/large', mode: 0o644, size: content.length },
    sha256: createHash('sha256').update(content).digest('hex'),
  };
  const archive = archiveOf([{ path: large.path, content }]);
  const pieces = Array.from({ length: Math.ceil(archive.length / 65_536) }, (_, i) =>
    archive.subarray(i * 65_536, (i + 1) * 65_536),
  );
  const admission = () => new Admission(listingOf([large]), [large]);
  const sink = { begin: () => undefined, data: () => undefined, end: () => undefined };

  it.each<[string, (input: Readable) => Promise<unknown>]>([
    ['an archive', (input) => unpack(input, { admission: admission(), sink }, signal)],
    ['a manifest', (input) => readListing(Duplex.from(input), signal)],
  ])('is gone, in the middle of %s as well', async (_what, receive) => {
    const input = new Readable({ read: () => undefined });
    const received = expect(receive(input)).rejects.toMatchObject({ code: 'E_DEADLINE' });
    await setImmediate();
    vi.advanceTimersByTime(59_000);
    input.push(pieces[0]);
    await setImmediate();
    vi.advanceTimersByTime(59_000);
    await setImmediate();
    expect(input.destroyed).toBe(false);
    vi.advanceTimersByTime(1_000);
    await received;
  });

  it('is not one that waits until the disk has taken what came', async () => {
    let received: Promise<void> | undefined;
    const goOn = await new Promise<() => void>((begun) => {
      const begin = () => new Promise<void>((done) => begun(done));
      const input = Readable.from(pieces, { objectMode: false });
      received = unpack(input, { admission: admission(), sink: { ...sink, begin } }, signal);
    });
    await setImmediate();
    vi.advanceTimersByTime(600_000);
    goOn();
    await received;
  });
});
