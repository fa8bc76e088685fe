import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManifestFile } from '@silverlining/protocol';
import { BLOCK, blobKey } from '@silverlining/system';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { noise } from '../../../../../test/bench/apps.ts';
import { PACK_DATA, PACK_INDEX, Pack, readPart } from './pack.ts';
import { PackWriter } from './pack-writer.ts';

let folder: string;
let writer: PackWriter;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-pack-'));
  writer = PackWriter.create(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Around the sizes of blocks and of the writer's buffer, and several of these. */
const SIZES = [0, 1, BLOCK - 1, BLOCK, 200_000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 7, 3_000_000, 0, 5_000];
const CONTENTS = SIZES.map((size, i) => noise(size, `content ${i}`));
const SMALL = noise(5, 'small');
const LARGE = noise(1_000_000, 'large');

const sum = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const fileOf = (content: Buffer, sha256 = sum(content)): ManifestFile => {
  return { path: 'app/a', mode: 0o644, size: content.length, sha256 };
};

function put(content: Buffer, file = fileOf(content), piece = 100_000): void {
  writer.begin(file);
  for (let at = 0; at < content.length; at += piece) writer.data(content.subarray(at, at + piece));
  writer.end();
}

/** What a process that begins finds, once it has looked: sums, as large buffers are compared byte by byte. */
function found(contents: readonly Buffer[]): (string | undefined)[] {
  const pack = Pack.found(folder);
  for (const content of contents) pack.verify(fileOf(content));
  return contents.map((content) => {
    const place = pack.find(blobKey(fileOf(content)));
    const there = place && readPart(pack.data, place);
    return there && sum(there);
  });
}

it.each([1_000, 99_999, 4_000_000])(
  'writes contents of all sizes, each at a block, in pieces of %i bytes',
  async (piece) => {
    for (const content of CONTENTS) put(content, fileOf(content), piece);
    await writer.finish();
    expect(found(CONTENTS)).toEqual(CONTENTS.map(sum));
    expect([...writer.contents.values()].map(({ offset }) => offset % BLOCK)).toEqual(
      [...writer.contents].map(() => 0),
    );
    expect(writer.bytes).toBe(SIZES.reduce((sum, size) => sum + size, 0));
  },
);

it.each([
  ['small', SMALL],
  ['large', LARGE],
])('leaves a %s content out that is not what it should be, and takes the others', async (_what, wrong) => {
  put(SMALL);
  expect(() => put(wrong, fileOf(wrong, '0'.repeat(64)))).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  expect(writer.position).toBe(2 * BLOCK);
  for (const content of CONTENTS) put(content);
  await writer.finish();
  expect(found([SMALL, ...CONTENTS])).toEqual([SMALL, ...CONTENTS].map(sum));
  expect(await readFile(join(folder, PACK_INDEX), 'latin1')).not.toContain('0'.repeat(64));
});

it.each([
  ['small', SMALL],
  ['large', LARGE],
])('ends in the middle of a %s content with what was whole before', async (_what, cut) => {
  const before = Buffer.concat([LARGE, LARGE]);
  put(before);
  writer.begin(fileOf(cut));
  writer.data(cut.subarray(0, cut.length - 1));
  await writer.finish();
  expect(found([before, cut])).toEqual([sum(before), undefined]);
});

it('fails once and for all when the disk does not take it', async () => {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  await symlink('/dev/full', join(disk, PACK_DATA));
  const full = PackWriter.append(disk, 0);
  full.append(SMALL);
  await expect(full.finish()).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  await expect(full.finish()).rejects.toMatchObject({ code: 'E_DISK_FULL' });
});
