import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { zstdDecompressSync } from 'node:zlib';
import { type App, app as appSchema, CHUNKED_FROM, encodeBitmap } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PackedRelease, ReleaseSource } from '../../ports.ts';
import { createReleaseSource } from './index.ts';

const signal = new AbortController().signal;
let folder: string;
let app: App;
let source: ReleaseSource;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-source-'));
  await mkdir(join(folder, 'app/lib'), { recursive: true });
  await mkdir(join(folder, 'config'));
  await writeFile(join(folder, 'app/main.py'), 'print(1)\n');
  await writeFile(join(folder, 'app/lib/run'), '#!/bin/sh\n');
  await chmod(join(folder, 'app/lib/run'), 0o700);
  await writeFile(join(folder, 'config/site.ini'), '[a]\n');
  source = createReleaseSource({ cache: join(folder, 'cache') });
  app = appSchema.parse({
    name: 'blog',
    dir: join(folder, 'app'),
    config: join(folder, 'config'),
    keep: 3,
    health: '/',
    healthTimeout: 30,
    processes: 0,
    env: {},
    platform: 'python',
    packages: [],
    updateFetch: [],
    services: {},
  });
});
afterEach(() => rm(folder, { recursive: true }));

const refused = (text: string) =>
  expect.objectContaining({ code: 'E_APP_CONFIG', message: expect.stringContaining(text) });
const sent = async (pack: PackedRelease) => {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), pack.send(sink, signal)]);
  return bytes;
};
const openFiles = async () =>
  Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
const everything = (count: number) => ({ missing: encodeBitmap(count, Array(count).keys()) });

describe('scan', () => {
  it('finds the app and its configuration, with modes that mean something', async () => {
    await symlink('lib/run', join(folder, 'app/start'));
    await mkdir(join(folder, 'app/.git'));
    await writeFile(join(folder, 'app/.git/HEAD'), 'x');
    const { manifest, digest, bytes } = await source.scan(app, signal);
    expect(manifest.files.map(({ path, mode }) => [path, mode])).toEqual([
      ['app/lib/run', 0o755],
      ['app/main.py', 0o644],
      ['config/site.ini', 0o644],
    ]);
    expect(manifest.files[1]?.sha256).toBe(createHash('sha256').update('print(1)\n').digest('hex'));
    expect(manifest.links).toEqual([{ path: 'app/start', target: 'lib/run' }]);
    expect(bytes).toBe(10 + 9 + 4);
    expect((await source.scan(app, signal)).digest).toBe(digest);
  });

  it('sees every change of a file, even one of the same size and time', async () => {
    const path = join(folder, 'app/main.py');
    const then = new Date(Date.now() - 3600_000);
    await utimes(path, then, then);
    const before = await source.scan(app, signal);
    await writeFile(path, 'print(2)\n');
    await utimes(path, then, then);
    expect((await source.scan(app, signal)).digest).not.toBe(before.digest);
  });

  it('leaves out what .silverignore names', async () => {
    await writeFile(join(folder, 'app/.silverignore'), 'lib/\n');
    const { manifest } = await source.scan(app, signal);
    expect(manifest.files.map(({ path }) => path)).toEqual(['app/main.py', 'config/site.ini']);
  });

  it.each([
    ['a link that leads nowhere but to itself', (path: string) => symlink('.silverignore', path), 'ELOOP'],
    ['a folder', (path: string) => mkdir(path), 'not a regular file'],
    ['a named pipe', (path: string) => execFileSync('mkfifo', [path]), 'not a regular file'],
    ['not UTF-8', (path: string) => writeFile(path, Buffer.from('\ufeffsite.ini\n', 'utf16le')), 'not UTF-8'],
    ['one with exceptions', (path: string) => writeFile(path, '*.ini\n!site.ini\n'), 'line 2 begins with !'],
  ])('deploys nothing when .silverignore is %s', async (_what, make, why) => {
    await make(join(folder, 'config/.silverignore'));
    await expect(source.scan(app, signal)).rejects.toEqual(refused('config/.silverignore cannot be read: '));
    await expect(source.scan(app, signal)).rejects.toEqual(refused(why));
  });

  it('refuses a named pipe, by its path', async () => {
    execFileSync('mkfifo', [join(folder, 'app/pipe')]);
    await expect(source.scan(app, signal)).rejects.toEqual(refused('app/pipe" is a named pipe'));
  });

  it.each([
    ['a backslash', 'a\\b', 'backslash'],
    ['a line end', 'a\nb', 'control character'],
  ])('refuses a name with %s', async (_what, name, text) => {
    await writeFile(join(folder, 'app', name), 'x');
    await expect(source.scan(app, signal)).rejects.toEqual(refused(text));
  });

  it('refuses links that leave the folder', async () => {
    await symlink('../config/site.ini', join(folder, 'app/settings'));
    await expect(source.scan(app, signal)).rejects.toEqual(refused('app/settings -> ../config/site.ini points out'));
  });

  it('names a folder that does not exist', async () => {
    await expect(source.scan({ ...app, dir: join(folder, 'nowhere') }, signal)).rejects.toEqual(refused('nowhere'));
  });
});

describe('a cache that cannot be written', () => {
  it('costs a scan its memory, and a pack says where it needs room', async () => {
    await writeFile(join(folder, 'app/big'), Buffer.alloc(CHUNKED_FROM));
    const unwritable = createReleaseSource({ cache: join(folder, 'app/main.py') });
    const release = await unwritable.scan(app, signal);
    expect(release.digest).toBe((await source.scan(app, signal)).digest);
    const pack = unwritable.pack(app, release, everything(4));
    await expect(sent(pack)).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringMatching(/app\/main.py\/packs cannot be written.*XDG_CACHE_HOME/),
    });
    await pack.close();
  });
});

describe('pack', () => {
  it('gives every reader the same tar, which tar(1) can read', async () => {
    const release = await source.scan(app, signal);
    const [one, two] = [source.pack(app, release, everything(3)), source.pack(app, release, everything(3))];
    const [first, second] = await Promise.all([sent(one), sent(two)]);
    expect(first.equals(second)).toBe(true);
    expect(await two.base64()).toBe(first.toString('base64'));
    expect([one.files, one.bytes]).toEqual([3, 23]);
    const listing = execFileSync('tar', ['-tf', '-'], { input: zstdDecompressSync(first), encoding: 'utf8' });
    expect(listing.trim().split('\n')).toEqual(['app/lib/run', 'app/main.py', 'config/site.ini']);
    await Promise.all([one.close(), two.close()]);
    expect(await readdir(join(folder, 'cache/packs'))).toEqual([]);
  });

  it('packs the same bytes again later, and only what is missing', async () => {
    const release = await source.scan(app, signal);
    const missing = encodeBitmap(3, [1]);
    const packOnce = async () => {
      const pack = source.pack(app, release, { missing });
      const bytes = await sent(pack);
      await pack.close();
      return bytes;
    };
    const [first, second] = [await packOnce(), await packOnce()];
    expect(first.equals(second)).toBe(true);
    expect(zstdDecompressSync(first).length).toBe(512 + 512 + 1024);
  });

  it('packs the same tar without compressing it', async () => {
    const release = await source.scan(app, signal);
    const packed = source.pack(app, release, everything(3));
    const plain = source.pack(app, release, { ...everything(3), plain: true });
    const [compressed, tar] = await Promise.all([sent(packed), sent(plain)]);
    expect(zstdDecompressSync(compressed).equals(tar)).toBe(true);
    await Promise.all([packed.close(), plain.close()]);
  });

  it.each([
    ['of another size', 'print(1234)\n', false],
    ['of the same size', 'print(2)\n', false],
    ['of the same size, where nothing is compressed', 'print(2)\n', true],
  ])('notices a file that became one %s', async (_what, content, plain) => {
    const release = await source.scan(app, signal);
    await writeFile(join(folder, 'app/main.py'), content);
    const pack = source.pack(app, release, { ...everything(3), plain });
    await expect(sent(pack)).rejects.toEqual(refused('app/main.py changed while being deployed'));
    await expect(sent(pack)).rejects.toEqual(refused('app/main.py changed'));
    await expect(pack.base64()).rejects.toEqual(refused('app/main.py changed'));
    await pack.close();
  });

  it.each([
    ['a folder', 'mkdir', 'cannot be read: EISDIR'],
    ['a named pipe', 'mkfifo', 'changed while being deployed'],
  ])('names a file that became %s, and waits for nobody', async (_what, make, why) => {
    const release = await source.scan(app, signal);
    await rm(join(folder, 'app/main.py'));
    execFileSync(make, [join(folder, 'app/main.py')]);
    const pack = source.pack(app, release, everything(3));
    await expect(sent(pack)).rejects.toEqual(refused(`app/main.py ${why}`));
    await pack.close();
  });

  it('lets a slow reader finish what a quick one has had long before', async () => {
    await writeFile(join(folder, 'app/big'), Buffer.alloc(3_000_000, 'silver'));
    const release = await source.scan(app, signal);
    const pack = source.pack(app, release, everything(4));
    const slow = new PassThrough();
    let taken = 0;
    const sending = pack.send(slow, signal, (bytes) => {
      taken += bytes;
    });
    const quick = await sent(pack);
    expect((await buffer(slow)).equals(quick)).toBe(true);
    await sending;
    expect(taken).toBe(quick.length);
    await pack.close();
  });

  it('stops a reader that is cancelled, and packing that nobody waits for', async () => {
    const release = await source.scan(app, signal);
    const pack = source.pack(app, release, everything(3));
    const abort = new AbortController();
    const sink = new PassThrough();
    const sending = pack.send(sink, abort.signal);
    abort.abort();
    await expect(sending).rejects.toThrow();
    expect(sink.destroyed).toBe(true);
    await pack.close();
  });

  it('leaves no file open when it is given up at any moment', async () => {
    await writeFile(join(folder, 'app/big'), randomBytes(2 << 20));
    const release = await source.scan(app, signal);
    for (let round = 0; round < 20; round++) {
      const pack = source.pack(app, release, everything(4));
      const sink = new PassThrough();
      const begun = once(sink, 'data');
      const sending = expect(pack.send(sink, signal)).rejects.toThrow();
      await begun;
      await pack.close();
      await sending;
    }
    expect((await openFiles()).filter((path) => path.startsWith(folder))).toEqual([]);
  });
});
