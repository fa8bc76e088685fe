import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBitmap, encodeBitmap } from './bitmap.ts';
import { appUser, instanceUnit, unitName } from './index.ts';
import { checkManifest, findCollision, linkStaysInside } from './manifest-rules.ts';
import type { Manifest } from './release.ts';

const HASH = 'a'.repeat(64);
const file = (path: string) => ({ path, mode: 0o644 as const, size: 1, sha256: HASH });
const manifest = (paths: string[], links: Manifest['links'] = []): Manifest => ({
  version: 1,
  app: 'blog',
  files: paths.map(file),
  links,
});

describe('bitmap', () => {
  it('is base64 with the least significant bit first', () => {
    expect(encodeBitmap(10, [0, 9])).toBe(Buffer.from([1, 2]).toString('base64'));
  });

  it('comes back as the indices that went in', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (bits) => {
        const indices = bits.flatMap((bit, i) => (bit ? [i] : []));
        const text = encodeBitmap(bits.length, indices);
        expect(Buffer.from(text, 'base64').toString('base64')).toBe(text);
        expect(decodeBitmap(text, bits.length)).toEqual(indices);
      }),
    );
  });

  it.each([
    ['no base64', '!!!!'],
    ['too short', 'AA=='],
    ['a bit past the end', Buffer.from([0, 128]).toString('base64')],
  ])('is refused with %s', (_name, text) => {
    expect(() => decodeBitmap(text, 10)).toThrow(expect.objectContaining({ code: 'E_FRAME' }));
  });
});

describe('checkManifest', () => {
  it('lets a sorted tree pass, links inside a part included', () => {
    const links = [{ path: 'app/lib/current', target: '../main.py' }];
    expect(() => checkManifest(manifest(['app/lib/a', 'app/main.py', 'config/x'], links))).not.toThrow();
  });

  it.each([
    ['out of order', manifest(['app/b', 'app/a']), 'out of order'],
    ['a path twice', manifest(['app/a', 'app/a']), 'listed twice'],
    ['a file and a link of one name', manifest(['app/a'], [{ path: 'app/a', target: 'b' }]), 'listed twice'],
    ['names that differ in case', manifest(['app/A', 'app/a']), 'differ in case'],
    ['names that differ in composition', manifest(['app/e\u0301', 'app/\u00e9']), 'differ in case or accents'],
    ['folders that differ in case', manifest(['app/Lib/a', 'app/lib/b']), 'differ in case'],
    ['a file that is a folder too', manifest(['app/a', 'app/a/b']), 'is a file and a folder'],
    ['a link out of the release', manifest([], [{ path: 'app/etc', target: '../../etc' }]), 'points out'],
    ['a link from app/ to config/', manifest([], [{ path: 'app/c', target: '../config/x' }]), 'points out'],
    ['an absolute link', manifest([], [{ path: 'app/c', target: '/etc/passwd' }]), 'points out'],
  ])('refuses %s', (_name, bad, message) => {
    expect(() => checkManifest(bad)).toThrow(
      expect.objectContaining({ code: 'E_MANIFEST', message: expect.stringContaining(message) }),
    );
  });

  it('finds no collision among names that differ', () => {
    expect(findCollision(['app/a', 'app/ab', 'app/b/a', 'app/b/b'])).toBeUndefined();
  });

  it('lets a link leave its folder but not its part', () => {
    expect(linkStaysInside('app/x/y', '../z')).toBe(true);
    expect(linkStaysInside('app/x/y', '../../z')).toBe(false);
    expect(linkStaysInside('app/x', 'a/../../b')).toBe(false);
    expect(linkStaysInside('app/x', 'a\nb')).toBe(false);
    // `loop` may be a link to a folder higher up, whose `..` is outside.
    expect(linkStaysInside('app/x/y/z', 'loop/../../a')).toBe(false);
    expect(linkStaysInside('app/x/y', './../z/./a')).toBe(true);
  });
});

describe('names on nodes', () => {
  it('gives each app a user of 32 characters at most', () => {
    expect(appUser('blog')).toBe('app-blog');
    const [one, two] = [appUser(`${'a'.repeat(39)}b`), appUser(`${'a'.repeat(39)}c`)];
    expect(one).toMatch(/^app-a{20}-[0-9a-z]{7}$/);
    expect(two).not.toBe(one);
  });

  it('gives each instance a unit', () => {
    expect(instanceUnit('blog.20260131_001')).toBe('silver-app-blog.20260131_001.service');
    expect(unitName.safeParse(instanceUnit('my-app_2.20260131_001')).success).toBe(true);
  });
});
