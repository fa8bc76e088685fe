import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isAnotherFile } from './other-file.ts';

let folder: string;
const at = (name: string) => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-other-'));
  writeFileSync(at('silver.ini'), 'this one');
});
afterEach(() => rmSync(folder, { recursive: true }));

it.each<[boolean, string, () => string]>([
  [true, 'it is there', () => written('other.ini')],
  [true, 'this one is gone', () => moved(written('other.ini'))],
  [false, 'it is gone', () => at('gone.ini')],
  [false, 'nobody can look at it', () => at('silver.ini/silver.ini')],
  [false, 'a link leads to this one', () => link(symlinkSync)],
  [false, 'it is this one by another name', () => link(linkSync)],
])('is %s where %s', async (expected, _what, make) => {
  expect(await isAnotherFile(make(), at('silver.ini'))).toBe(expected);
});

function written(name: string): string {
  writeFileSync(at(name), 'that one');
  return at(name);
}

function moved(other: string): string {
  rmSync(at('silver.ini'));
  return other;
}

function link(make: (target: string, path: string) => void): string {
  make(at('silver.ini'), at('same.ini'));
  return at('same.ini');
}
