import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepRuntime, removeRuntimes, runtimeFile } from './runtime-file.ts';

const BINARY = Buffer.alloc(300_000, 'node');
const DIGEST = createHash('sha256').update(BINARY).digest('hex');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-runtime-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const keep = (bytes: Buffer, digest = DIGEST) =>
  keepRuntime(folder, { stream: Duplex.from([bytes]), digest }, new AbortController().signal);

it('unpacks a binary to its place, for everybody to run', async () => {
  await keep(gzipSync(BINARY));
  const path = runtimeFile(folder, DIGEST);
  expect(BINARY.equals(await readFile(path))).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o755);
  expect(await readdir(join(folder, DIGEST))).toEqual(['node']);
});

/** What is another, what ends too soon, what is not compressed, and nothing at all. */
const WRONG = [gzipSync('another'), gzipSync(BINARY).subarray(0, 200), BINARY, Buffer.alloc(0)];

it.each([
  ['keeps nothing of one that is not what was announced', false],
  ['keeps the one that was there before', true],
])('%s', async (_what, wasThere) => {
  if (wasThere) await keep(gzipSync(BINARY));
  for (const bytes of WRONG) {
    await expect(keep(bytes)).rejects.toMatchObject({ code: 'E_CONFLICT' });
    expect(await readdir(folder)).toEqual(wasThere ? [DIGEST] : []);
  }
  if (!wasThere) await keep(gzipSync(BINARY));
  expect(BINARY.equals(await readFile(runtimeFile(folder, DIGEST)))).toBe(true);
  expect(await readdir(join(folder, DIGEST))).toEqual(['node']);
});

it('goes once another one is there, but not while an app runs under it that may start more by its path', async () => {
  for (const name of ['current', 'former', 'idle']) {
    await mkdir(join(folder, name));
    await copyFile('/bin/sleep', runtimeFile(folder, name));
  }
  const app = spawn(runtimeFile(folder, 'former'), ['60']);
  await once(app, 'spawn');
  const left = async () => (await readdir(folder)).sort();
  await removeRuntimes(folder, ['current']);
  expect(await left()).toEqual(['current', 'former']);
  app.kill();
  await once(app, 'exit');
  await removeRuntimes(folder, ['current']);
  expect(await left()).toEqual(['current']);
});
