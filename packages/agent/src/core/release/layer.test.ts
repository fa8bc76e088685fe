import { describe, expect, it } from 'vitest';
import { listingOf } from '../../../../../test/builders/listing.ts';
import {
  hiddenPaths,
  imageMount,
  mountsIn,
  mountUnitName,
  mountUnitText,
  overlayMount,
  worthLayering,
  worthPacking,
} from './layer.ts';

const SHA = '0'.repeat(64);
const file = (path: string) => ({ path, mode: 0o644 as const, size: 1, sha256: SHA });
const releaseOf = (paths: string[], links: string[] = []) =>
  listingOf(
    paths.map(file),
    links.map((path) => ({ path, target: 'x' })),
  );

describe('a layer', () => {
  it('is worth it for many files of which few differ', () => {
    const many = releaseOf(Array.from({ length: 1000 }, (_, i) => `app/${i}`));
    const changes = (n: number) => ({ files: many.manifest().files.slice(0, n), links: [], removed: [] });
    expect(worthLayering(many, changes(1))).toBe(true);
    expect(worthLayering(many, changes(250))).toBe(true);
    expect(worthLayering(many, changes(251))).toBe(false);
    expect(worthLayering(releaseOf(['app/a']), changes(0))).toBe(false);
  });

  it.each<[string, string[], string[], string[]]>([
    ['a file', ['app/a/y'], ['app/a/x'], ['app/a/x']],
    ['the topmost folder that is gone', ['app/a/y'], ['app/a/b/c/1', 'app/a/b/c/2', 'app/a/b/d/3'], ['app/a/b']],
    ['never a part of the release', [], ['app/a', 'config/b'], ['app/a', 'config/b']],
    ['nothing where a file took the place of a folder', ['app/a'], ['app/a/x', 'app/a/b/y'], []],
    ['nothing where a folder took the place of a file', ['app/a/b/c'], ['app/a', 'app/a/b'], []],
    ['a file beside another whose name goes on', ['app/a-b', 'app/a.c'], ['app/a/x'], ['app/a']],
  ])('hides %s', (_what, there, removed, hidden) => {
    expect(hiddenPaths(releaseOf(there), removed)).toEqual(hidden);
  });

  it('hides nothing where a link took the place of a folder', () => {
    expect(hiddenPaths(releaseOf([], ['app/a']), ['app/a/b/x'])).toEqual([]);
  });
});

describe('what comes', () => {
  const many = Array.from({ length: 1000 }, (_, i) => file(`app/${i}`));

  it('is worth one file when it is many contents and most of a release', () => {
    expect(worthPacking(listingOf(many), many)).toBe(true);
    expect(worthPacking(listingOf(many), many.slice(0, 256))).toBe(true);
    expect(worthPacking(listingOf(many), many.slice(0, 250))).toBe(false);
    expect(worthPacking(listingOf(many.slice(0, 255)), many.slice(0, 255))).toBe(false);
  });

  it('is not where large contents are most of it', () => {
    const large = (size: number) => listingOf([...many, { ...file('app/large'), size }]);
    expect(worthPacking(large(8 << 20), many)).toBe(false);
    const others = many.map((it) => ({ ...it, size: 64 << 10 }));
    expect(worthPacking(listingOf([...others, { ...file('app/large'), size: 8 << 20 }]), others)).toBe(true);
  });
});

describe('its mount', () => {
  const path = '/var/lib/silverlining/releases/my-app.20260131_001';

  it('has a unit with the name that systemd wants, started before what needs it', () => {
    expect(mountUnitName(path)).toBe('var-lib-silverlining-releases-my\\x2dapp.20260131_001.mount');
    const point = { instance: 'my-app.20260131_001', path };
    const text = mountUnitText(overlayMount(point, { layer: '/l/2', base: '/r/1' }));
    expect(text).toContain(`Where=${path}\n`);
    expect(text).toContain('Options=ro,nosuid,nodev,lowerdir=/l/2:/r/1\n');
    // What is below may be a mount, too.
    expect(text).toContain('RequiresMountsFor=/r/1\n');
    const image = mountUnitText(imageMount(point, '/l/2/data'));
    expect(image).toContain('What=/l/2/data\n');
    expect(image).not.toContain('RequiresMountsFor');
    expect(text).toContain('Before=silver-app-my-app.20260131_001.service apache2.service silver-agent.service\n');
  });

  it('is found among all mounts', () => {
    const line = (point: string) => `56 49 0:284 / ${point} ro,nosuid shared:1 - overlay silverlining ro`;
    const text = [line('/'), line(path), line(`${path}/app/deeper`), line('/var/lib/silverlining/releases'), ''].join(
      '\n',
    );
    expect(mountsIn(text, '/var/lib/silverlining/releases')).toEqual(new Set(['my-app.20260131_001']));
  });
});
