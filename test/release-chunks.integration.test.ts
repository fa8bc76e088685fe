/** The two ends together: of large files only what changed, or what is still missing, is sent. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, PassThrough } from 'node:stream';
import { type App, CHUNKED_FROM, type ChunkList, encodeBitmap, type ManifestFile } from '@silverlining/protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DiskContentStore, openContentStore } from '../packages/agent/src/io/release/content-store.ts';
import { createReleaseSource } from '../packages/controller/src/io/release-source/index.ts';
import type { ReleaseSource } from '../packages/controller/src/ports.ts';
import { listingOf } from './builders/listing.ts';

const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const signal = new AbortController().signal;
let folder: string;
let app: App;
let source: ReleaseSource;
let store: DiskContentStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-chunks-'));
  await mkdir(join(folder, 'app'));
  // Of an app, scanning and packing look at these alone.
  app = { name: 'blog', dir: join(folder, 'app') } as App;
  source = createReleaseSource({ cache: join(folder, 'cache') });
  store = await openStore();
});
afterEach(() => rmSync(folder, { recursive: true }));

const openStore = () => openContentStore(join(folder, 'store'), async () => me);
const put = (name: string, content: Uint8Array) => writeFile(join(folder, 'app', name), content);

interface Sending {
  /** Where the archive goes in, and comes out. */
  wire?: { in: Duplex; out: Duplex };
  sources?: ManifestFile[];
}

/** What a rollout does for one node, without messages. Resolves with the compressed bytes. */
async function deploy({ wire, sources = [] }: Sending = {}): Promise<{ sent: number; files: ManifestFile[] }> {
  const release = await source.scan(app, signal);
  const { files } = release.manifest;
  await store.salvage(files, signal);
  const missing = store.lacking(files);
  const large = missing.filter((file) => file.size >= CHUNKED_FROM);
  const contents: { file: ManifestFile; list: ChunkList }[] = [];
  for (const file of large) contents.push({ file, list: await source.chunks(app, file, signal) });
  const plans = await store.plan(contents, sources, signal);
  const assemblies = new Map(plans.map(({ assembly }, i) => [large[i]?.path ?? '', assembly]));
  const parts = plans.flatMap((plan, i) => {
    const content = contents[i];
    if (content === undefined) return [];
    const bitmap = encodeBitmap(content.list.sizes.length, plan.missing);
    return [{ file: content.file, chunks: content.list, missing: bitmap }];
  });
  const bitmap = encodeBitmap(
    files.length,
    missing.map((file) => files.indexOf(file)),
  );
  const pack = source.pack(app, release, { missing: bitmap, parts });
  const direct = new PassThrough();
  let sent = 0;
  const took = (bytes: number) => {
    sent += bytes;
  };
  const [, received] = await Promise.allSettled([
    pack.send(wire?.in ?? direct, signal, took),
    store.receive(wire?.out ?? direct, { listing: listingOf(files), missing, assemblies }, signal),
  ]);
  await pack.close();
  if (received.status === 'rejected') throw received.reason;
  return { sent, files };
}

const contentOf = (file: ManifestFile | undefined) =>
  file === undefined ? undefined : readFileSync(store.locate(file).path);

it('sends a megabyte of a large file in which a megabyte changed, wherever it is and however far it moved', async () => {
  const old = randomBytes(8 << 20);
  await put('data', old);
  const first = await deploy();
  expect(first.sent).toBeGreaterThan(8 << 20);
  const fresh = randomBytes(1 << 20);
  const moved = Buffer.concat([randomBytes(100), old.subarray(0, 4_999_999), fresh, old.subarray(6_000_000)]);
  await put('data', moved);
  const second = await deploy({ sources: first.files });
  expect(second.sent).toBeLessThan(2 << 20);
  expect(contentOf(second.files[0])?.equals(moved)).toBe(true);
});

it('puts any new content together from any old one', async () => {
  const piece = fc.record({ from: fc.nat(4_000_000), length: fc.nat(2_000_000), fresh: fc.boolean() });
  const base = randomBytes(5 << 20);
  await put('data', base);
  const first = await deploy();
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 4 }), async (pieces) => {
      const parts = pieces.map(({ from, length, fresh }) =>
        fresh ? randomBytes(length >> 4) : base.subarray(from, from + length),
      );
      // Long enough to be looked at in chunks.
      const next = Buffer.concat([...parts, base.subarray(0, CHUNKED_FROM)]);
      await put('data', next);
      const { files } = await deploy({ sources: first.files });
      expect(contentOf(files[0])?.equals(next)).toBe(true);
    }),
    { numRuns: 8 },
  );
});

/** A real connection that is cut when so many bytes have arrived. */
async function cutAfter(bytes: number): Promise<{ in: Socket; out: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sender = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [receiver] = (await once(server, 'connection')) as [Socket];
  server.close();
  let arrived = 0;
  receiver.on('data', (chunk: Buffer) => {
    arrived += chunk.length;
    if (arrived >= bytes) sender.destroy();
  });
  receiver.pause();
  // The other end notices by itself.
  sender.on('error', () => undefined);
  receiver.on('error', () => undefined);
  return { in: sender, out: receiver };
}

it.each(['by the same agent', 'by an agent that was killed'])(
  'goes on in the middle of a large file and with what small ones lack, %s',
  async (who) => {
    const [small, large] = [randomBytes(100_000), randomBytes(6 << 20)];
    await put('a-small', small);
    await put('b-large', large);
    await put('c-small', randomBytes(100_000));
    await expect(deploy({ wire: await cutAfter(3 << 20) })).rejects.toMatchObject({ code: 'E_TAR_TRUNCATED' });
    if (who !== 'by the same agent') store = await openStore();
    const { sent, files } = await deploy();
    expect(sent).toBeLessThan(4 << 20);
    expect(sent).toBeGreaterThan(1 << 20);
    expect(store.lacking(files)).toEqual([]);
    expect(contentOf(files[1])?.equals(large)).toBe(true);
    expect(await readdir(join(folder, 'store/leftovers'))).toEqual([]);
  },
);

it('takes in what a killed agent had received whole, once it turns out to be right', async () => {
  const [right, wrong] = [randomBytes(5000), randomBytes(5000)];
  await put('right', right);
  await put('wrong', wrong);
  const { files } = (await source.scan(app, signal)).manifest;
  const batch = join(folder, 'store/incoming/batch');
  await mkdir(batch, { recursive: true });
  const [first, second] = files;
  await writeFile(join(batch, `0-${first?.sha256}`), right);
  await writeFile(join(batch, `1-${second?.sha256}`), Buffer.alloc(5000));
  store = await openStore();
  expect((await deploy()).sent).toBeLessThan(6000);
  expect(contentOf(first)?.equals(right)).toBe(true);
  expect(contentOf(second)?.equals(wrong)).toBe(true);
});

it('does not trust what a power cut left of a large file', async () => {
  const large = randomBytes(6 << 20);
  await put('large', large);
  const [file] = (await source.scan(app, signal)).manifest.files;
  const damaged = Buffer.from(large.subarray(0, 5 << 20)).fill(0, 2 << 20, 3 << 20);
  await writeFile(join(folder, `store/leftovers/${file?.sha256}`), damaged);
  store = await openStore();
  const { sent } = await deploy();
  expect(sent).toBeGreaterThan(3 << 20);
  expect(sent).toBeLessThan(5 << 20);
  expect(contentOf(file)?.equals(large)).toBe(true);
});

it('keeps what was received of a transfer that was cut until the next one, whatever is collected meanwhile', async () => {
  await put('a', randomBytes(50_000));
  await put('b', randomBytes(3_000_000));
  await expect(deploy({ wire: await cutAfter(1_000_000) })).rejects.toMatchObject({ code: 'E_TAR_TRUNCATED' });
  expect(await store.collect([])).toBe(0);
  expect((await deploy()).sent).toBeLessThan(3_010_000);
  expect(await store.collect([])).toBe(2);
});
