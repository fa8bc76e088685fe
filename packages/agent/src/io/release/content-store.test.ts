import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { zstdCompressSync } from 'node:zlib';
import { CHUNK_DIGEST, CHUNKED_FROM, type ChunkList, type ManifestFile } from '@silverlining/protocol';
import { blobKey, blobPath, OpenFile } from '@silverlining/system';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import { archiveOf, type TarEntry, tarOf } from '../../../../../test/builders/tar-archive.ts';
import { type DiskContentStore, openContentStore } from './content-store.ts';

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const signal = new AbortController().signal;
let folder: string;
let store: DiskContentStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-store-'));
  store = await openContentStore(folder, async () => me);
});
afterEach(() => rmSync(folder, { recursive: true }));

function listed(path: string, content: string, mode: 0o644 | 0o755 = 0o644): ManifestFile {
  return { path, mode, size: Buffer.byteLength(content), sha256: createHash('sha256').update(content).digest('hex') };
}
const A = listed('app/a', 'alpha');
const B = listed('app/b', 'beta', 0o755);
const entry = (path: string, content: string): TarEntry => ({ path, content });

function receive(bytes: Buffer, files: ManifestFile[] = [A, B], missing = files) {
  return store.receive(Readable.from([bytes], { objectMode: false }), { listing: listingOf(files), missing }, signal);
}
const rejected = (code: string, text: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(text) });

describe('receiving', () => {
  it('keeps contents by hash, with their modes, and remembers them when it is opened again', async () => {
    expect(await receive(archiveOf([entry('app/a', 'alpha'), entry('app/b', 'beta')]))).toEqual({ files: 2, bytes: 9 });
    expect(await readFile(blobPath(folder, blobKey(A)), 'utf8')).toBe('alpha');
    expect((await stat(blobPath(folder, blobKey(B)))).mode & 0o777).toBe(0o755);
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
    const again = await openContentStore(folder, async () => me);
    const executable = { ...A, mode: 0o755 as const };
    expect(again.lacking([A, B, executable, executable])).toEqual([executable]);
  });

  it.each([
    ['compressed', archiveOf, false],
    ['plain', tarOf, true],
  ])('takes any cut of a %s stream, long and non-ASCII names, and empty files', async (_what, made, plain) => {
    const long = listed(`app/${'d\u00fc/'.repeat(90)}${'\u00fc'.repeat(100)}`, 'x'.repeat(1500));
    const empty = listed('app/empty', '');
    const bytes = made([entry(empty.path, ''), entry(long.path, 'x'.repeat(1500))]);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(i * 7, i * 7 + 7));
    const input = Readable.from(pieces, { objectMode: false });
    await store.receive(input, { listing: listingOf([empty, long]), missing: [empty, long], plain }, signal);
    expect(store.lacking([empty, long])).toEqual([]);
  });

  it.each<[string, TarEntry]>([
    ['a path upwards', entry('app/../../etc/cron.d/x', 'x')],
    ['an absolute path', entry('/etc/cron.d/x', 'x')],
    ['a symlink', { path: 'app/a', type: 'SymbolicLink', linkpath: '/etc/passwd' }],
    ['a hard link', { path: 'app/a', type: 'Link', linkpath: '/etc/shadow' }],
    ['a named pipe', { path: 'app/a', type: 'FIFO' }],
    ['a character device', { path: 'app/a', type: 'CharacterDevice' }],
    ['a block device', { path: 'app/a', type: 'BlockDevice' }],
    ['a folder', { path: 'app/a', type: 'Directory' }],
    ['a global extended header', { path: 'app/a', type: 'GlobalExtendedHeader' }],
    ['setuid', { path: 'app/a', content: 'alpha', mode: 0o4755 }],
    ['setgid', { path: 'app/a', content: 'alpha', mode: 0o2755 }],
    ['sticky', { path: 'app/a', content: 'alpha', mode: 0o1755 }],
    ['a backslash', entry('app\\a', 'alpha')],
    ['a control character', entry('app/a\n', 'alpha')],
  ])('refuses %s with E_TAR_ENTRY that names it', async (_name, bad) => {
    await expect(receive(archiveOf([bad]))).rejects.toEqual(rejected('E_TAR_ENTRY', JSON.stringify(bad.path)));
    expect(store.lacking([A])).toEqual([A]);
  });

  it.each<[string, TarEntry[], string, string]>([
    ['a duplicate', [entry('app/a', 'alpha'), entry('app/a', 'alpha')], 'E_TAR_ENTRY', 'comes twice'],
    ['another case', [entry('app/A', 'alpha')], 'E_MANIFEST', 'not in the manifest'],
    ['an unlisted file', [entry('app/evil', 'x')], 'E_MANIFEST', 'not in the manifest'],
    ['a wrong size', [entry('app/a', 'alpha beta')], 'E_MANIFEST', '10 bytes in the archive, 5'],
    ['a wrong content', [entry('app/a', 'ALPHA')], 'E_MANIFEST', 'another content'],
    ['a file less', [entry('app/a', 'alpha')], 'E_TAR_TRUNCATED', '"app/b" first'],
  ])('refuses %s', async (_name, entries, code, text) => {
    await expect(receive(archiveOf(entries))).rejects.toEqual(rejected(code, text));
  });

  it('refuses a file that was not asked for', async () => {
    await expect(receive(archiveOf([entry('app/b', 'beta')]), [A, B], [A])).rejects.toEqual(
      rejected('E_TAR_ENTRY', 'not asked for'),
    );
  });

  it('stops a bomb at what its manifest allows', async () => {
    const bomb = zstdCompressSync(Buffer.concat([tarOf([entry('app/a', 'alpha')]), Buffer.alloc(8 << 20)]));
    expect(bomb.length).toBeLessThan(2 << 10);
    await expect(receive(bomb)).rejects.toEqual(rejected('E_TAR_TOO_LARGE', 'longer than its manifest allows'));
  });

  it('stops a header that announces more than the manifest', async () => {
    const huge: TarEntry = { path: 'app/a', content: 'alpha', size: 2 ** 33 };
    await expect(receive(archiveOf([huge]))).rejects.toEqual(rejected('E_MANIFEST', 'in the archive, 5'));
  });

  it.each<[string, Buffer]>([
    ['cut within zstd', archiveOf([entry('app/a', 'alpha'), entry('app/b', 'beta')]).subarray(0, -8)],
    ['cut within tar', zstdCompressSync(tarOf([entry('app/a', 'alpha')]).subarray(0, 512))],
    ['cut between entries', zstdCompressSync(tarOf([entry('app/a', 'alpha')]).subarray(0, 1024))],
    ['empty', Buffer.alloc(0)],
    ['not zstd', Buffer.from('<html>502 Bad Gateway</html>')],
    ['no tar inside', zstdCompressSync(Buffer.alloc(4096, 'x'))],
  ])('refuses a stream that is %s with E_TAR_TRUNCATED', async (_name, bytes) => {
    await expect(receive(bytes)).rejects.toMatchObject({ code: 'E_TAR_TRUNCATED' });
  });

  it('keeps what came whole before the cut, so that it need not come again', async () => {
    const tar = tarOf([entry('app/a', 'alpha'), entry('app/b', 'beta')]);
    await expect(receive(zstdCompressSync(tar.subarray(0, 1100)))).rejects.toMatchObject({ code: 'E_TAR_TRUNCATED' });
    expect(store.lacking([A, B])).toEqual([B]);
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
  });

  it('stops when it is cancelled, and leaves nothing half received', async () => {
    const abort = new AbortController();
    const input = new Readable({ read: () => undefined });
    input.push(archiveOf([entry('app/a', 'alpha')]).subarray(0, 20));
    const receiving = store.receive(input, { listing: listingOf([A]), missing: [A] }, abort.signal);
    abort.abort();
    await expect(receiving).rejects.toMatchObject({ code: 'E_ABORTED' });
    expect(input.destroyed).toBe(true);
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
  });
});

/** Of a large content, which is one chunk. */
const LIST: ChunkList = { sizes: [CHUNKED_FROM], digests: '0'.repeat(CHUNK_DIGEST) };

it('what a content consists of is forgotten with the offer, whether or not it came', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const plan = async (): Promise<WeakRef<ChunkList>> => {
    const list = { ...LIST };
    await store.plan([{ file: A, list }], [], signal);
    return new WeakRef(list);
  };
  const planned = await plan();
  await setImmediate();
  collectGarbage();
  expect(planned.deref()).toBeUndefined();
});

/** What is left of a content in the store, and a way to go on with it. */
async function cutAfter(bytes: number) {
  const text = 'ab'.repeat(CHUNKED_FROM / 2);
  const large = listed('app/large', text);
  await writeFile(join(folder, 'leftovers', blobKey(large)), text.slice(0, bytes));
  store = await openContentStore(folder, async () => me);
  const body = text.length - bytes;
  const pieces = [{ bytes: body, from: undefined }];
  const assemblies = new Map([[large.path, { list: LIST, prefix: bytes, pieces, body }]]);
  const archive = tarOf([entry(large.path, text.slice(bytes))]);
  const files = { listing: listingOf([large]), missing: [large], assemblies };
  const goOn = (input: Readable) => store.receive(input, files, signal);
  return { large, text, goOn, whole: zstdCompressSync(archive), part: zstdCompressSync(archive.subarray(0, 4096)) };
}

describe('what a cut transfer left', () => {
  it('is gone on with by all that come at the same moment', async () => {
    const { large, text, goOn, whole } = await cutAfter(5000);
    const input = () => Readable.from([whole], { objectMode: false });
    const received = { files: 1, bytes: CHUNKED_FROM - 5000 };
    expect(await Promise.all([goOn(input()), goOn(input()), goOn(input())])).toEqual([received, received, received]);
    expect(await readFile(blobPath(folder, blobKey(large)), 'utf8')).toBe(text);
    expect(await readdir(join(folder, 'leftovers'))).toEqual([]);
  });

  it('is there again where the one that has it is cut, too', async () => {
    const { large, goOn, whole, part } = await cutAfter(5000);
    const cut = expect(goOn(Readable.from([part], { objectMode: false }))).rejects.toMatchObject({
      code: 'E_TAR_TRUNCATED',
    });
    await Promise.all([cut, goOn(Readable.from([whole], { objectMode: false }))]);
    expect(store.lacking([large])).toEqual([]);
  });
});

describe('the store', () => {
  it('removes contents that no manifest needs', async () => {
    await receive(archiveOf([entry('app/a', 'alpha'), entry('app/b', 'beta')]));
    expect(await store.collect([B])).toBe(1);
    expect(store.lacking([A, B])).toEqual([A]);
    expect(existsSync(blobPath(folder, blobKey(A)))).toBe(false);
  });

  it('asks anew for what was changed in place, and does not have it any more', async () => {
    await receive(archiveOf([entry('app/a', 'alpha'), entry('app/b', 'beta')]));
    await appendFile(blobPath(folder, blobKey(A)), '!');
    await store.verify([A, B], signal);
    expect(store.lacking([A, B])).toEqual([A]);
    expect((await openContentStore(folder, async () => me)).lacking([A, B])).toEqual([A]);
  });

  it('removes what a crash left half received when it is opened', async () => {
    await receive(archiveOf([entry('app/a', 'alpha')]), [A]);
    await writeFile(join(folder, 'incoming/half'), 'x');
    await openContentStore(folder, async () => me);
    expect(existsSync(join(folder, 'incoming'))).toBe(false);
  });

  it('gives what a killed agent left whole its name when it is on disk', async () => {
    const names = () => [A, B].map((file) => existsSync(blobPath(folder, blobKey(file))));
    for (const [file, content] of [[A, 'alpha'] as const, [B, 'beta'] as const]) {
      await writeFile(join(folder, 'leftovers', blobKey(file)), content);
    }
    store = await openContentStore(folder, async () => me);
    const synced: boolean[][] = [];
    const sync = vi.spyOn(OpenFile.prototype, 'sync').mockImplementation(async () => {
      synced.push(names());
    });
    // Of two apps.
    await Promise.all([store.salvage([A, B], signal), store.salvage([B, A], signal)]);
    sync.mockRestore();
    expect([synced, names()]).toEqual([Array(2).fill([false, false]), [true, true]]);
    expect(await readdir(join(folder, 'leftovers'))).toEqual([]);
  });

  it('knows how much room there is', async () => {
    const { bytes } = await store.space();
    expect(bytes).toBeGreaterThan(0);
  });
});
