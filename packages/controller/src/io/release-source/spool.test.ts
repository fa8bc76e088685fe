import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { BULK_FRAME } from '@silverlining/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Spool } from './spool.ts';

const { signal } = new AbortController();
/** More than is kept for readers that come a little later. */
const ALL = Buffer.concat(Array.from({ length: 11 }, (_, i) => Buffer.alloc(1_000_000, i + 1)));

let directory: string;
let spool: Spool;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-spool-'));
  spool = await Spool.create(directory);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await spool.close();
  await rm(directory, { recursive: true });
});

/** Reads what it was given as late as it may, and each piece once `ready` is. */
function reader(ready: () => Promise<void> = async () => undefined) {
  const parts: Buffer[] = [];
  const sink = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      ready().then(() => {
        parts.push(Buffer.from(chunk));
        done();
      }, done);
    },
  });
  return { sink, parts };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const send = (sink: Writable) => spool.send(sink, signal, () => undefined);

it('gives each reader all bytes, however far one is behind the others', async () => {
  let goOn = (): void => undefined;
  const isOver = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const [quick, slow, slower] = [reader(turn), reader(() => turn().then(turn)), reader(() => isOver)];
  const others = [quick, slow].map(({ sink }) => send(sink));
  const last = send(slower.sink);
  for (let at = 0; at < ALL.length; at += 300_000) {
    await spool.write(ALL.subarray(at, at + 300_000));
    await turn();
  }
  spool.finish();
  await Promise.all(others);
  goOn();
  await last;
  for (const { parts } of [quick, slow, slower]) expect(Buffer.concat(parts).equals(ALL)).toBe(true);
});

it('goes on for others where a reader is gone with a piece in hand', async () => {
  const [gone, other] = [reader(() => new Promise(() => undefined)), reader(turn)];
  await spool.write(ALL);
  spool.finish();
  const lost = send(gone.sink);
  const sent = send(other.sink);
  await turn();
  gone.sink.destroy(new Error('gone'));
  await expect(lost).rejects.toThrow('gone');
  await sent;
  expect(Buffer.concat(other.parts).equals(ALL)).toBe(true);
});

it('gives a reader small frames for as long as it takes them slowly', async () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const sizes: number[] = [];
  /** Bytes a millisecond that the link has from each byte on. */
  const link = (bytes: number) => (bytes < 1 << 20 ? 12 : 100_000);
  const sink = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      now += chunk.length / link(sizes.reduce((sum, size) => sum + size, 0));
      sizes.push(chunk.length);
      done();
    },
  });
  await spool.write(ALL);
  spool.finish();
  await send(sink);
  const small = 64 << 10;
  expect(sizes.slice(0, 17)).toEqual(Array.from({ length: 17 }, () => small));
  expect(sizes.slice(17, 21)).toEqual([2 * small, 4 * small, 8 * small, small]);
  expect(sizes.slice(21, -1).every((size) => size === BULK_FRAME)).toBe(true);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(ALL.length);
});
