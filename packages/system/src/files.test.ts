import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { open, readPieces } from './files.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-files-'));
  path = join(folder, 'file');
});
afterEach(() => rmSync(folder, { recursive: true }));

it('reads and writes where it is told to', async () => {
  const file = await open(path, 'wx+', 0o640);
  await file.writeFile('alpha beta');
  expect(await file.write(Buffer.from('_GAMMA_'), 1, 5, 6)).toMatchObject({ bytesWritten: 5 });
  const buffer = Buffer.alloc(8, '.');
  expect(await file.read(buffer, 1, 6, 4)).toMatchObject({ bytesRead: 6 });
  expect(String(buffer)).toBe('.a GAMM.');
  await file.truncate(5);
  await file.chmod(0o600);
  await file.sync();
  await file.close();
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['alpha', 0o600]);
  await expect(open(path, 'wx')).rejects.toMatchObject({ code: 'EEXIST' });
});

it('closes no file but its own, however often it is told to, and is of no use then', async () => {
  writeFileSync(path, 'alpha');
  const file = await open(path, 'r');
  await file.close();
  // Has the same number, unless another test opens a file in this moment.
  const other = openSync(path, 'r');
  await file.close();
  expect(readFileSync(other, 'utf8')).toBe('alpha');
  closeSync(other);
  await expect(file.sync()).rejects.toMatchObject({ code: expect.stringMatching(/EBADF|ERR_OUT_OF_RANGE/) });
});

it.each([
  ['all of it', {}, ['alpha beta']],
  ['in pieces', { piece: 4 }, ['alph', 'a be', 'ta']],
  ['a part', { offset: 2, size: 5, piece: 3 }, ['pha', ' b']],
  ['what there is', { offset: 6, size: 100 }, ['beta']],
  ['nothing', { offset: 3, size: 0 }, []],
  ['nothing behind its end', { offset: 30 }, []],
])('gives %s', async (_what, part, expected) => {
  writeFileSync(path, 'alpha beta');
  const pieces: string[] = [];
  for await (const piece of readPieces(path, part)) pieces.push(String(piece));
  expect(pieces).toEqual(expected);
});

it('gives no file that is not there', async () => {
  await expect(readPieces(path).next()).rejects.toMatchObject({ code: 'ENOENT' });
});
