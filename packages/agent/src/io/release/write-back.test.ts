import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WriteBack } from './write-back.ts';

const PIECE = Buffer.alloc(5 << 20);
let folder: string;
let descriptor: number;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-write-back-'));
  descriptor = openSync(join(folder, 'file'), 'w');
});
afterEach(() => rmSync(folder, { recursive: true }));

it('has the disk take what is written once it is worth it, and is to be waited for then', async () => {
  const writeBack = new WriteBack(descriptor);
  const idle = [1, 2].map(() => {
    writeBack.wrote(writeSync(descriptor, PIECE));
    return writeBack.isIdle;
  });
  expect(idle).toEqual([true, false]);
  await writeBack.end();
  expect(writeBack.isIdle).toBe(true);
  closeSync(descriptor);
});

it('throws what the disk did not take in the end, however late that is', async () => {
  closeSync(descriptor);
  const writeBack = new WriteBack(descriptor);
  writeBack.wrote(10 << 20);
  await expect(writeBack.end()).rejects.toMatchObject({ code: 'EBADF' });
  expect(writeBack.isIdle).toBe(false);
  await expect(writeBack.end()).rejects.toMatchObject({ code: 'EBADF' });
});
