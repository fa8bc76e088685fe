import { comparePaths, diffManifests, encodeBitmap, type Manifest, manifestText } from '@silverlining/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentsOf, Listing } from './listing.ts';
import { textInMemory } from './listing-text.ts';

const content = fc.constantFrom('0', 'a', 'f').map((digit) => digit.repeat(64));
// Code units and code points order the last two differently.
const name = fc.constantFrom('a', 'a-b', 'a/c', 'b', 'b/c', 'b/d/e', 'B', 'z', '\u{1f600}', '\uff01');
const entry = fc.record({
  sha256: content,
  mode: fc.constantFrom(0o644 as const, 0o755 as const),
  size: fc.constantFrom(0, 7, 12_345),
  isLink: fc.boolean(),
});
const anyManifest: fc.Arbitrary<Manifest> = fc.dictionary(name, entry).map((entries) => {
  const all = Object.entries(entries).map(([path, it]) => ({ ...it, path: `app/${path}` }));
  const files = all.filter((it) => !it.isLink).map(({ isLink, ...file }) => file);
  const links = all.filter((it) => it.isLink).map(({ path, sha256 }) => ({ path, target: sha256.slice(0, 3) }));
  return { version: 1, app: 'blog', files: files.sort(comparePaths), links: links.sort(comparePaths) };
});

/** Text where it is in memory. */
const piecesOf = (listing: Listing) => [...listing.pieces()].map(String);

describe('a listing', () => {
  it('is its manifest, read from its text alone too', () => {
    fc.assert(
      fc.property(anyManifest, (manifest) => {
        const listing = Listing.read(textInMemory(Listing.of(manifest).text));
        expect([listing.manifest(), listing.app, listing.fileCount]).toEqual([manifest, 'blog', manifest.files.length]);
        expect(listing.changes).toEqual({ files: [], links: [], removed: [] });
      }),
    );
  });

  it('finds what is in it, and nothing else, described in full or by changes', () => {
    fc.assert(
      fc.property(anyManifest, fc.option(anyManifest), name, (manifest, before, any) => {
        const listing =
          before === null ? Listing.of(manifest) : Listing.of(before).with(diffManifests(before, manifest));
        const path = `app/${any}`;
        const all = [...manifest.files, ...manifest.links].map((it) => it.path);
        expect(listing.find(path)).toEqual(manifest.files.find((it) => it.path === path));
        expect(listing.has(path)).toBe(all.includes(path));
        expect(listing.holds(path)).toBe(all.some((it) => it.startsWith(`${path}/`)));
        const index = manifest.files.findIndex((it) => it.path === path);
        const bitmap = encodeBitmap(manifest.files.length, index < 0 ? [] : [index]);
        expect(listing.bitmap(new Set([path, 'app/none']))).toBe(bitmap);
      }),
    );
  });

  it('becomes another by any chain of changes, and knows what differs from the first', () => {
    fc.assert(
      fc.property(anyManifest, anyManifest, anyManifest, (first, second, third) => {
        const whole = Listing.of(first);
        const next = whole.with(diffManifests(first, second)).with(diffManifests(second, third));
        expect(piecesOf(next).join('')).toBe(manifestText(third));
        expect(next.text).toBe(manifestText(third));
        expect(next.manifest()).toEqual(third);
        expect(next.fileCount).toBe(third.files.length);
        expect(next.whole).toBe(whole);
        expect(next.changes).toEqual(diffManifests(first, third));
      }),
    );
  });

  it('says where its files stand', () => {
    const files = Array.from({ length: 20 }, (_, i) => ({
      path: `app/${String.fromCharCode(97 + i)}`,
      mode: 0o644 as const,
      size: 1,
      sha256: '0'.repeat(64),
    }));
    const listing = Listing.of({ version: 1, app: 'blog', files, links: [{ path: 'app/c.link', target: 'c' }] });
    const next = listing.with({ files: [], links: [], removed: ['app/a'] });
    const bitmap = Buffer.from([1, 1, 0]).toString('base64');
    expect(next.bitmap(new Set(['app/b', 'app/j', 'app/c.link', 'app/none']))).toBe(bitmap);
    const others = Array.from({ length: 300 }, (_, i) => `app/none/${i}`);
    expect(next.bitmap(new Set(['app/b', 'app/j', ...others]))).toBe(bitmap);
  });

  it('gives its text in pieces of whole lines, and no character in two', () => {
    const files = Array.from({ length: 500 }, (_, i) => ({
      ...{ path: `app/${'\u{1f600}'.repeat(20)}${i}`, mode: 0o644 as const, size: i, sha256: '0'.repeat(64) },
    }));
    const listing = Listing.of({ version: 1, app: 'blog', files: files.sort(comparePaths), links: [] });
    const pieces = piecesOf(listing);
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.every((it) => it.endsWith('\n'))).toBe(true);
    expect(pieces.join('')).toBe(listing.text);
  });

  it('is refused when it is cut, and is not readable when it is damaged', () => {
    const { text } = Listing.of({
      ...{ version: 1, app: 'blog', links: [] },
      files: [{ path: 'app/a', mode: 0o644, size: 1, sha256: '0'.repeat(64) }],
    });
    expect(Listing.read(textInMemory(text)).isReadable).toBe(true);
    for (const bad of ['', text.slice(0, -1), text.slice(1)]) {
      expect(() => Listing.read(textInMemory(bad))).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
    }
    for (const bad of [text.replace('644', '777'), text.replace('\x001\0', '\0'), `${text}\n`]) {
      expect(Listing.read(textInMemory(bad)).isReadable).toBe(false);
    }
  });

  it('takes no changes that name a path twice', () => {
    const listing = Listing.of({ version: 1, app: 'blog', files: [], links: [] });
    const file = { path: 'app/a', mode: 0o644 as const, size: 1, sha256: '0'.repeat(64) };
    const twice = [
      { files: [file, file], links: [], removed: [] },
      { files: [file], links: [], removed: ['app/a'] },
      { files: [file], links: [{ path: 'app/a', target: 'b' }], removed: [] },
    ];
    for (const changes of twice) {
      expect(() => listing.with(changes)).toThrow(expect.objectContaining({ code: 'E_MANIFEST' }));
    }
  });
});

it('contents of listings are those of what they were described by, and what differs', () => {
  const file = (path: string, digit: string) => ({ path, mode: 0o644 as const, size: 1, sha256: digit.repeat(64) });
  const first = Listing.of({ version: 1, app: 'blog', files: [file('app/a', '0'), file('app/b', '1')], links: [] });
  const changed = (digit: string) => first.with({ files: [file('app/a', digit)], links: [], removed: [] });
  const all = [...contentsOf([changed('2'), first, changed('3')])].map((it) => it.sha256[0]);
  expect(all).toEqual(['0', '1', '2', '3']);
});
