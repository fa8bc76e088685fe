import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStatCache } from './stat-cache.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-stat-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the stat cache', () => {
  const old = { size: 1n, mtimeNs: 5n, ctimeNs: 6n, ino: 7n, mode: 8n };
  const sha256 = 'a'.repeat(64);
  // Only these fields are looked at.
  const entry = (stat: object) => ({ path: 'app/a', stat: stat as never, sha256 });
  const reopen = () => openStatCache(join(folder, 'stat'), [folder]);

  it('knows a file for as long as nothing of its stat changes', async () => {
    await (await reopen()).save([entry(old)], Date.now());
    const cache = await reopen();
    expect(cache.lookUp('app/a', old as never)).toBe(sha256);
    expect(cache.lookUp('app/b', old as never)).toBeUndefined();
    for (const field of ['size', 'mtimeNs', 'ctimeNs', 'ino', 'mode']) {
      expect(cache.lookUp('app/a', { ...old, [field]: 99n } as never)).toBeUndefined();
    }
  });

  it('does not trust a file that was changed just before it was read', async () => {
    const now = Date.now();
    const fresh = { ...old, ctimeNs: BigInt(now - 500) * 1_000_000n };
    await (await reopen()).save([entry(fresh)], now);
    expect((await reopen()).lookUp('app/a', fresh as never)).toBeUndefined();
  });

  it('is empty when it is damaged', async () => {
    await (await reopen()).save([entry(old)], Date.now());
    const [name = ''] = await readdir(join(folder, 'stat'));
    await writeFile(join(folder, 'stat', name), 'garbage\t\t\n');
    expect((await reopen()).lookUp('app/a', old as never)).toBeUndefined();
  });
});
