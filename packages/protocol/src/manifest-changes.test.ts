import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyChanges, diffManifests } from './manifest-changes.ts';
import { comparePaths } from './manifest-rules.ts';
import type { Manifest } from './release.ts';

const content = fc.constantFrom('0', 'a', 'f').map((digit) => digit.repeat(64));
const name = fc.constantFrom('a', 'b', 'b/c', 'd/e', 'd/f', 'Z', 'ü');
const entry = fc.record({
  sha256: content,
  mode: fc.constantFrom(0o644 as const, 0o755 as const),
  isLink: fc.boolean(),
});
const anyManifest: fc.Arbitrary<Manifest> = fc.dictionary(name, entry).map((entries) => {
  const all = Object.entries(entries).map(([path, it]) => ({ ...it, path: `app/${path}` }));
  const files = all.filter((it) => !it.isLink).map(({ path, mode, sha256 }) => ({ path, mode, size: 7, sha256 }));
  const links = all.filter((it) => it.isLink).map(({ path, sha256 }) => ({ path, target: sha256 }));
  return { version: 1, app: 'blog', files: files.sort(comparePaths), links: links.sort(comparePaths) };
});

describe('changes of a manifest', () => {
  it('lead from any manifest to any other', () => {
    fc.assert(
      fc.property(anyManifest, anyManifest, (from, to) => {
        expect(applyChanges(from, diffManifests(from, to))).toEqual(to);
      }),
    );
  });

  it('are none between equal manifests, and name each path once', () => {
    fc.assert(
      fc.property(anyManifest, anyManifest, (from, to) => {
        expect(diffManifests(from, structuredClone(from))).toEqual({ files: [], links: [], removed: [] });
        const { files, links, removed } = diffManifests(from, to);
        const paths = [...files.map((it) => it.path), ...links.map((it) => it.path), ...removed];
        expect(new Set(paths).size).toBe(paths.length);
      }),
    );
  });
});
