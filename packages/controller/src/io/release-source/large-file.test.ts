import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChunkCache } from './chunk-cache.ts';
import { readLarge } from './large-file.ts';

const signal = new AbortController().signal;
const KIB = 1 << 10;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-large-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(content: Buffer, before?: Parameters<typeof readLarge>[2]) {
  await writeFile(join(folder, 'file'), content);
  return readLarge(join(folder, 'file'), signal, before);
}

describe('a large file that is much like an earlier one', () => {
  const first = randomBytes(1500 * KIB);
  const half = first.subarray(0, first.length / 2);
  const rest = first.subarray(first.length / 2);
  const some = randomBytes(100_000);
  it.each<[string, Buffer]>([
    ['is the same', first],
    ['has other bytes in the middle', Buffer.concat([half, some, rest.subarray(some.length)])],
    ['has more bytes in the middle', Buffer.concat([half, some, rest])],
    ['has fewer bytes in the middle', Buffer.concat([half, rest.subarray(some.length)])],
    ['has more and fewer at several places', Buffer.concat([some, half.subarray(5), some, rest.subarray(70_000)])],
    ['has its halves exchanged', Buffer.concat([rest, half])],
    ['has parts twice', Buffer.concat([half, half, rest, half])],
    ['goes on after its end', Buffer.concat([first, some])],
    ['ends earlier', first.subarray(0, -some.length)],
    ['has nothing in common', randomBytes(1100 * KIB)],
    ['is empty', Buffer.alloc(0)],
  ])('and %s consists of the same chunks as by itself', async (_how, content) => {
    const { chunks: before } = await read(first);
    const known = await read(content, before);
    expect(known).toEqual(await read(content));
    expect(known.sha256).toBe(createHash('sha256').update(content).digest('hex'));
    expect(known.chunks.sizes.reduce((sum, size) => sum + size, 0)).toBe(content.length);
  });
});

it('the chunks of a file are found for who wants them, whoever else has given that up', async () => {
  const file = join(folder, 'shared');
  const content = randomBytes(3000 * KIB);
  await writeFile(file, content);
  const cache = new ChunkCache(join(folder, 'chunks'));
  const sha256 = createHash('sha256').update(content).digest('hex');
  const first = new AbortController();
  const given = cache.get(sha256, file, first.signal);
  const wanted = [signal, signal].map((it) => cache.get(sha256, file, it));
  first.abort();
  await expect(given).rejects.toThrow();
  expect((await Promise.all(wanted)).map(({ sizes }) => sizes.length)).toEqual([
    expect.any(Number),
    expect.any(Number),
  ]);
});

it('a large file that is a folder by now is named', async () => {
  const reading = readLarge(folder, signal);
  await expect(reading).rejects.toMatchObject({ code: 'E_APP_CONFIG', message: expect.stringContaining(folder) });
});
