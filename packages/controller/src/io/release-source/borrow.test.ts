import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { encodeBitmap, type Manifest } from '@silverlining/protocol';
import { expect, it, onTestFinished } from 'vitest';
import { createPacker } from './pack.ts';

const file = { path: 'app/main.py', mode: 0o644 as const, size: 3 << 20, sha256: 'a'.repeat(64) };
const manifest: Manifest = { version: 1, app: 'blog', files: [file], links: [] };
const release = { manifest, digest: 'b'.repeat(64), bytes: file.size };
const missing = encodeBitmap(1, [0]);

/** Borrows from a node that sends so many bytes. */
async function borrow(bytes: number) {
  const folder = await mkdtemp(join(tmpdir(), 'sl-borrow-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  let taken = 0;
  const borrowed = createPacker(folder).borrow(release, missing, async (take) => {
    for (; taken < bytes; taken += 256 << 10) await take(randomBytes(256 << 10));
  });
  return { taken: () => taken, borrowed };
}

it('what a node lends is sent on as it came', async () => {
  const { borrowed } = await borrow(file.size);
  const open = await borrowed;
  const sink = new PassThrough();
  const [all] = await Promise.all([buffer(sink), open.send(sink, new AbortController().signal)]);
  expect(all).toHaveLength(file.size);
  await open.close();
});

it('a node that sends more than the files can be does not fill the disk', async () => {
  const { borrowed, taken } = await borrow(1 << 30);
  await expect(borrowed).rejects.toMatchObject({ code: 'E_TAR_TOO_LARGE' });
  expect(taken()).toBeLessThan(file.size + (2 << 20));
});
