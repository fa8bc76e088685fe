import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEPT, openStatCache } from './stat-cache.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-stat-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the stat cache', () => {
  const old = { size: 1n, mtimeNs: 5n, ctimeNs: 6n, ino: 7n, mode: 8n };
  const sha256 = 'a'.repeat(64);
  const reopen = (scannedAt?: number) => openStatCache(join(folder, 'stat'), [folder], scannedAt);
  const text = async () => {
    const [name = ''] = await readdir(join(folder, 'stat'));
    return {
      path: join(folder, 'stat', name),
      lines: (await readFile(join(folder, 'stat', name), 'utf8')).split('\n'),
    };
  };
  /** A scan that meets these files, and hashes what is not known. */
  async function scan(paths: readonly string[], changed: Record<string, object> = {}): Promise<string[]> {
    const cache = reopen();
    const missed = paths.filter((path) => {
      // Only these fields are looked at.
      const stat = { ...old, ...changed[path] } as never;
      if (cache.lookUp(path, stat) === sha256) return false;
      cache.add(path, stat, sha256);
      return true;
    });
    await cache.save();
    return missed;
  }

  it('knows a file for as long as nothing of its stat changes', async () => {
    await scan(['app/a']);
    const cache = reopen();
    expect(cache.lookUp('app/a', old as never)).toBe(sha256);
    expect(cache.lookUp('app/b', old as never)).toBeUndefined();
    for (const field of ['size', 'mtimeNs', 'ctimeNs', 'ino', 'mode']) {
      expect(cache.lookUp('app/a', { ...old, [field]: 99n } as never)).toBeUndefined();
      expect(cache.before('app/a')).toBe(sha256);
    }
    expect(cache.before('app/b')).toBeUndefined();
  });

  it.each([
    ['just before it was read', 500],
    ['in the tick of FAT in which it was read', 1_900],
  ])('does not trust a file that was changed %s', async (_when, ms) => {
    const now = Date.now();
    const at = BigInt(now - ms) * 1_000_000n;
    const fresh = { ...old, mtimeNs: at, ctimeNs: at } as never;
    const cache = reopen(now);
    cache.add('app/a', fresh, sha256);
    await cache.save();
    expect(reopen().lookUp('app/a', fresh)).toBeUndefined();
    expect(reopen().before('app/a')).toBe(sha256);
  });

  it('is empty when it is damaged, and without what is cut', async () => {
    await scan(['app/a', 'app/b']);
    const { path, lines } = await text();
    await writeFile(path, 'garbage\t\t\n');
    expect(await scan(['app/a', 'app/b'])).toEqual(['app/a', 'app/b']);
    await writeFile(path, lines.join('\n').slice(0, -2));
    expect(await scan(['app/a', 'app/b', 'app/c'])).toEqual(['app/b', 'app/c']);
    await writeFile(path, lines.join('\n').replace('a\n', '\n'));
    expect(await scan(['app/a', 'app/b'])).toEqual(['app/a']);
    expect((await text()).lines).toEqual(lines);
  });

  it('knows the files of any scan in the next one, whatever came, went or changed between them', async () => {
    const name = fc.constantFrom(
      ...Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => `app/${letter}`),
      'app/a b',
      'app/\u{1f600}',
    );
    const paths = fc.uniqueArray(name, { maxLength: 28 });
    await fc.assert(
      fc.asyncProperty(paths, paths, fc.uniqueArray(name, { maxLength: 4 }), async (first, second, third) => {
        await rm(join(folder, 'stat'), { recursive: true, force: true });
        await scan(first);
        const changed = Object.fromEntries(third.map((path) => [path, { size: 2n }]));
        const missed = second.filter((path) => !first.includes(path) || third.includes(path));
        expect(await scan(second, changed)).toEqual(missed);
        expect(await scan(second, changed)).toEqual([]);
        if (second.length === 0) return;
        const { lines } = await text();
        expect(lines.slice(1, -1).map((line) => line.split('\t')[0])).toEqual(second);
      }),
    );
  });

  it('is not written where all is as it was', async () => {
    await scan(['app/a', 'app/b']);
    const { path } = await text();
    const { ino } = await stat(path);
    await scan(['app/a', 'app/b']);
    expect((await stat(path)).ino).toBe(ino);
    await scan(['app/a']);
    expect((await stat(path)).ino).not.toBe(ino);
  });

  it('forgets folders that were deployed long ago: each build may have one of its own', async () => {
    const scanned = Array.from({ length: KEPT + 1 }, (_, i) => join(folder, `build-${i}`));
    for (const it of scanned) {
      const cache = openStatCache(join(folder, 'stat'), [it]);
      cache.add('app/a', old as never, sha256);
      await cache.save();
    }
    expect(await readdir(join(folder, 'stat'))).toHaveLength(KEPT);
    const last = openStatCache(join(folder, 'stat'), scanned.slice(-1));
    expect(last.lookUp('app/a', old as never)).toBe(sha256);
  });
});
