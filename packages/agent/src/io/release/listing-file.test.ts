import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { comparePaths, type Manifest, manifestText } from '@silverlining/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Listing } from '../../core/release/listing.ts';
import { sha256OfText } from './file-hash.ts';
import { type LineCounts, ListingFile } from './listing-file.ts';

/** Of so many, lines stand on either side of many a block; and to find each of them is to find many. */
const FILES = 1_000;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-listing-'));
  path = join(folder, 'manifest');
});
afterEach(() => rmSync(folder, { recursive: true }));

const fileAt = (name: string, size = 1) => ({ path: name, mode: 0o644 as const, size, sha256: '0'.repeat(64) });
/** Names of one to four bytes a character and of many lengths, so that lines, and characters, stand across blocks. */
const nameOf = (i: number) => `app/${['a', 'é', '\uff01', '\u{1f600}'][i % 4]}${'x'.repeat(i % 37)}/${i}`;
const many = (count = FILES): Manifest => ({
  ...{ version: 1, app: 'blog' },
  files: Array.from({ length: count }, (_, i) => fileAt(nameOf(i), i)).sort(comparePaths),
  links: [
    { path: 'app/l/1', target: '2' },
    { path: 'app/l/3', target: '4' },
  ],
});

function written(manifest: Manifest, counts?: LineCounts): Listing {
  writeFileSync(path, manifestText(manifest));
  return read(manifest, counts);
}

function read(manifest: Manifest, counts: LineCounts = {}): Listing {
  return Listing.read(new ListingFile(path, { length: Buffer.byteLength(manifestText(manifest)), counts }));
}

it('says of each line what the text in memory says', () => {
  const manifest = many();
  const [inFile, inMemory] = [written(manifest), Listing.of(manifest)];
  expect([inFile.app, inFile.fileCount, inFile.text]).toEqual(['blog', FILES, inMemory.text]);
  expect(inFile.manifest()).toEqual(manifest);
  for (const file of manifest.files) {
    expect(inFile.find(file.path)).toEqual(file);
    expect(inFile.bitmap(new Set([file.path]))).toBe(inMemory.bitmap(new Set([file.path])));
    expect(inFile.find(`${file.path}!`)).toBeUndefined();
  }
  for (const { path: link } of manifest.links) expect([inFile.has(link), inFile.find(link)]).toEqual([true, undefined]);
});

it.each([0, 1, 2, 30, 60, 300])('counts %d files', (count) => {
  expect(written(many(count)).fileCount).toBe(count);
});

it.each([4 << 10, 64 << 10])('counts the lines of %d bytes, which end with a block, or a stretch', (bytes) => {
  const manifest: Manifest = { version: 1, app: 'blog', files: [fileAt('app/a'), fileAt('app/b')], links: [] };
  const rest = bytes - Buffer.byteLength(manifestText(manifest)) - 'l\0app/l\0\n'.length;
  manifest.links.push({ path: 'app/l', target: 'x'.repeat(rest) });
  expect(written({ ...manifest, links: manifest.links }).text).toHaveLength(bytes);
  expect(read(manifest).fileCount).toBe(2);
});

it.each(['few', 'many'])(
  'has the digest of its text, and of what changes make of it, when %s lines were read',
  (how) => {
    const manifest = many();
    const listing = written(manifest);
    if (how === 'many') for (const { path: it } of manifest.files) listing.find(it);
    const digest = (text: string) => createHash('sha256').update(text).digest('hex');
    expect(sha256OfText(listing.pieces())).toBe(digest(manifestText(manifest)));
    const changes = {
      files: [fileAt('app/0'), { ...fileAt(manifest.files[500]?.path ?? ''), size: 77 }, fileAt('app/\u{1f601}')],
      links: [{ path: 'app/l/2', target: '3' }],
      removed: [manifest.files[0]?.path ?? '', manifest.files.at(-1)?.path ?? '', 'app/l/3'],
    };
    const [changed, inMemory] = [listing.with(changes), Listing.of(manifest).with(changes)];
    expect(sha256OfText(changed.pieces())).toBe(digest(inMemory.text));
    const paths = new Set(changes.files.map((it) => it.path));
    expect([changed.fileCount, changed.bitmap(paths)]).toEqual([inMemory.fileCount, inMemory.bitmap(paths)]);
  },
);

it('knows how many files stand before one by what was counted before', () => {
  const [manifest, counts] = [many(), {}];
  written(manifest, counts).fileCount;
  expect(counts).toEqual({ before: expect.any(Uint32Array) });
  const last = new Set([manifest.files.at(-1)?.path ?? '']);
  expect(read(manifest, counts).bitmap(last)).toBe(Listing.of(manifest).bitmap(last));
});

it.each(['cut', 'gone'])('throws E_MANIFEST of a file that is %s since it was opened', (what) => {
  const manifest = many();
  const listing = written(manifest);
  if (what === 'cut') truncateSync(path, 10_000);
  else rmSync(path);
  expect(() => sha256OfText(listing.pieces())).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
  expect(() => listing.manifest()).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
});
