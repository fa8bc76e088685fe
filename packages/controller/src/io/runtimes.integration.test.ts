import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { findRuntime } from './runtimes.ts';

afterEach(() => vi.unstubAllEnvs());

it('one that cannot be fetched is an error that says why, and leaves nothing', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'sl-runtimes-'));
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:1/');
  vi.stubEnv('npm_config_cache', join(cache, 'npm'));
  const other = process.arch === 'x64' ? 'arm64' : 'x64';
  const { signal } = new AbortController();
  try {
    const error = await findRuntime(other, { cache, report: () => undefined, signal }).catch((it: unknown) => it);
    expect(error).toMatchObject({ code: 'E_SSH', details: { log: expect.anything() } });
    expect(JSON.stringify(error)).toContain('ECONNREFUSED');
    expect(await readdir(join(cache, 'runtime'))).toEqual([]);
  } finally {
    await rm(cache, { recursive: true });
  }
});
