/** The two ends together: the image that the controller lays out is what a node mounts, and what is looked at when it does not come whole. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { ImageForm } from '../packages/agent/src/content-ports.ts';
import { parseListing } from '../packages/agent/src/io/release/unpack.ts';
import { readErofs } from './fakes/erofs-reader.ts';
import {
  contentOf,
  keysOf,
  type Laid,
  layOut,
  sent,
  useImages,
  WISH,
  workstation,
  write,
} from './fakes/laid-images.ts';
import { NO_MOUNTS } from './fakes/mounts.ts';
import { blobs, disk, images, me, packs, read, signal, start, useReleaseDisk } from './fakes/release-disk.ts';

const FIRST = 'blog.20260131_001';
const SECOND = 'blog.20260131_002';
const BLOCK = 4096;

useReleaseDisk();
useImages();

const receive = (form: ImageForm, ...chunks: Buffer[]) => disk.store.receiveImage(Readable.from(chunks), form, signal);

/** Takes it in, and makes the release of it. */
async function bring(laid: Laid, instance = FIRST): Promise<void> {
  const image = await receive(laid.form, laid.bytes);
  expect(image.sha256).toBe(laid.sha256);
  const listing = parseListing(image.manifestText());
  const release = { instance, listing, support: WISH.support, group: 'app-blog', shareable: true };
  await disk.tree.materialise({ ...release, brought: listing.fileCount, image });
}

describe('an image', () => {
  it('has all that is in the release, each content once, and the digest that is said of it', async () => {
    const { release, form, bytes, sha256 } = await layOut();
    expect([bytes.length, sha256]).toEqual([form.index + form.bytes, createHash('sha256').update(bytes).digest('hex')]);
    const inodes = readErofs(bytes.subarray(form.index));
    const facts = (path: string) => {
      const { mode, uid, gid, content } = inodes.get(path) ?? expect.unreachable(path);
      return [mode.toString(8), uid, gid, content.toString()];
    };
    expect(facts('app/lib/299')).toEqual(['100644', 1, 1, contentOf(299)]);
    expect(facts('app/twice')).toEqual(['100644', 1, 1, contentOf(7)]);
    expect(facts('app/bin/run')).toEqual(['100755', 1, 1, 'run']);
    expect(facts('app/none')).toEqual(['100644', 1, 1, '']);
    expect(facts('app/link')).toEqual(['120777', 1, 1, 'lib/7']);
    expect(facts('config/secret.ini')).toEqual(['100640', 2, 2, 'password']);
    expect(facts('support/loader.py')).toEqual(['100644', 1, 1, 'load()\n']);
    expect(facts('manifest').slice(0, 3)).toEqual(['100600', 0, 0]);
    expect(parseListing(inodes.get('manifest')?.content.toString() ?? '').manifest()).toEqual(release.manifest);
    const lines = bytes.subarray(0, form.index).toString().trimEnd().split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual([...new Set(keysOf({ release }))]);
  });

  it('is the same for all who want the same, and compressed where that is wanted', async () => {
    const release = await workstation.source.scan(workstation.app, signal);
    const all = [WISH, WISH].map((wish) =>
      workstation.source.image(workstation.app, release, { ...wish, plain: false }),
    );
    const [one = Buffer.alloc(0), other = Buffer.alloc(0)] = await Promise.all(all.map(sent));
    expect(one.equals(other)).toBe(true);
    const whole = zstdDecompressSync(one);
    expect(await all[0]?.sha256()).toBe(createHash('sha256').update(whole).digest('hex'));
    for (const image of all) await image.close();
  });

  it.each([
    ['shorter', 'x'],
    ['as long', contentOf(250).replaceAll('2', '3')],
    ['longer', `${contentOf(250)}x`],
  ])('is not made of a file that is another one by now, and %s', async (_how, text) => {
    const release = await workstation.source.scan(workstation.app, signal);
    await write('app/lib/250', text);
    const image = workstation.source.image(workstation.app, release, { ...WISH, plain: true });
    const error = { code: 'E_APP_CONFIG', message: 'app/lib/250 changed while being deployed; deploy again' };
    await expect(sent(image)).rejects.toMatchObject(error);
    await expect(image.sha256()).rejects.toMatchObject(error);
    await image.close();
  });
});

describe('a node that has nothing of a release', () => {
  it('mounts what came, and names no file of it', async () => {
    const laid = await layOut();
    expect(disk.store.mayHave(keysOf(laid))).toBe(0);
    await bring(laid);
    const inodes = readErofs(await readFile(join(disk.paths.layers, FIRST, 'data')));
    const owners = ['app/lib/7', 'config/secret.ini', 'manifest'].map((path) => inodes.get(path));
    expect(owners).toMatchObject([me, me, { uid: 0, gid: 0 }]);
    expect([await images(), await packs(), await blobs(), disk.warnings]).toEqual([[FIRST], [], [], []]);
    expect(await readdir(join(disk.paths.store, 'incoming'))).toEqual([]);
    expect([await read(FIRST, 'lib/299'), await read(FIRST, 'twice')]).toEqual([contentOf(299), contentOf(7)]);
    expect([await disk.tree.intact(FIRST), (await disk.tree.listing(FIRST))?.manifest()]).toEqual([
      true,
      laid.release.manifest,
    ]);
  });

  it('takes one that came compressed', async () => {
    await bring(await layOut({ plain: false }));
    expect([await images(), await read(FIRST, 'lib/299')]).toEqual([[FIRST], contentOf(299)]);
  });

  it('has all contents of it for the next one, also after it was started again', async () => {
    const laid = await layOut();
    await bring(laid);
    await start(disk.mounts);
    await disk.tree.sweep(new Set([FIRST]));
    expect([disk.store.lacking(laid.release.manifest.files), disk.store.mayHave(keysOf(laid))]).toEqual([
      [],
      new Set(keysOf(laid)).size,
    ]);
  });

  it('makes files of it where it cannot mount it', async () => {
    await start(NO_MOUNTS);
    const laid = await layOut();
    await bring(laid);
    expect([await images(), disk.warnings]).toEqual([
      [],
      [expect.stringContaining('releases are no images from here on')],
    ]);
    expect([await disk.tree.intact(FIRST), await read(FIRST, 'lib/299')]).toEqual([true, contentOf(299)]);
  });

  it('keeps what came whole of one that was cut, and is then no node that has nothing', async () => {
    const laid = await layOut();
    const half = laid.bytes.subarray(0, laid.form.index + laid.form.bytes / 2);
    await expect(receive(laid.form, half)).rejects.toMatchObject({ code: 'E_TAR_TRUNCATED' });
    const { files } = laid.release.manifest;
    expect([disk.store.lacking(files).length > 290, disk.store.mayHave(keysOf(laid)) > 290]).toEqual([true, true]);
    await disk.store.salvage(files, signal);
    const lacking = disk.store.lacking(files).length;
    expect([lacking > 50, lacking < 250]).toEqual([true, true]);
  });

  it('finds it also when it was killed meanwhile', async () => {
    const laid = await layOut();
    const batch = join(disk.paths.store, 'incoming', 'killed');
    await mkdir(batch, { recursive: true });
    const { index } = laid.form;
    await writeFile(join(batch, 'contents'), laid.bytes.subarray(0, index));
    await writeFile(join(batch, 'data'), laid.bytes.subarray(index, index + laid.form.bytes / 2));
    await start(disk.mounts);
    const { files } = laid.release.manifest;
    await disk.store.salvage(files, signal);
    expect(disk.store.lacking(files).length).toBeLessThan(250);
  });

  it('keeps nothing of one that was cut before its index was there', async () => {
    const laid = await layOut();
    await expect(receive(laid.form, laid.bytes.subarray(0, laid.form.index - 1))).rejects.toMatchObject({
      code: 'E_TAR_TRUNCATED',
    });
    expect([disk.store.mayHave(keysOf(laid)), await packs()]).toEqual([0, []]);
  });

  it('takes no more than was said', async () => {
    const laid = await layOut();
    await expect(receive(laid.form, laid.bytes, Buffer.from('x'))).rejects.toMatchObject({ code: 'E_TAR_TOO_LARGE' });
  });

  it('believes nothing of one that was damaged on its way, and finds what is right in it', async () => {
    const laid = await layOut();
    const { offset, size } = placeOf(laid, 'app/lib/200');
    laid.bytes[laid.form.index + offset + size - 1] = 0;
    const image = await receive(laid.form, laid.bytes);
    expect(image.sha256).not.toBe(laid.sha256);
    const { files } = laid.release.manifest;
    expect(disk.store.lacking(files).length).toBeGreaterThan(290);
    await disk.store.salvage(files, signal);
    expect(disk.store.lacking(files).map(({ path }) => path)).toEqual(['app/lib/200']);
  });

  it('makes one release of an image, and says so when it is gone', async () => {
    const laid = await layOut();
    const image = await receive(laid.form, laid.bytes);
    const listing = parseListing(image.manifestText());
    const release = { listing, support: {}, group: 'app-blog', shareable: true, brought: listing.fileCount, image };
    await disk.tree.materialise({ ...release, instance: FIRST });
    await expect(disk.tree.materialise({ ...release, instance: SECOND })).rejects.toMatchObject({
      code: 'E_MANIFEST',
      message: 'the image that came is gone from the node; deploy again',
    });
    expect([await images(), await read(FIRST, 'lib/299')]).toEqual([[FIRST], contentOf(299)]);
  });

  it('drops one that nobody staged where room is short', async () => {
    const laid = await layOut();
    const image = await receive(laid.form, laid.bytes);
    await disk.store.collect([]);
    expect(await packs()).toHaveLength(1);
    await disk.store.collect([], 'short');
    expect([await packs(), image.manifestText()]).toEqual([[], '']);
  });
});

/** Where a content stands in the image. */
function placeOf({ release, form, bytes }: Laid, path: string): { offset: number; size: number } {
  const file = release.manifest.files.find((it) => it.path === path) ?? expect.unreachable(path);
  const line = bytes
    .subarray(0, form.index)
    .toString()
    .split('\n')
    .find((it) => it.startsWith(file.sha256));
  const [, offset, size] = (line ?? '').split(' ').map(Number);
  expect(Number(offset) % BLOCK).toBe(0);
  return { offset: Number(offset), size: Number(size) };
}

it('leaves nothing of an image on this machine once it was sent', async () => {
  await layOut();
  expect(await readdir(join(workstation.home, 'cache/packs'))).toEqual([]);
});
