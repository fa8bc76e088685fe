import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { findRuntime, RUNTIME_INTEGRITY, RUNTIME_VERSION } from './runtimes.ts';

afterEach(() => vi.unstubAllEnvs());

it('the runtime is the one that npm installs', async () => {
  const lock = JSON.parse(await readFile(join(import.meta.dirname, '../../../../package-lock.json'), 'utf8'));
  for (const arch of ['x64', 'arm64'] as const) {
    expect(lock.packages[`node_modules/node-linux-${arch}`]).toMatchObject({
      version: RUNTIME_VERSION,
      integrity: RUNTIME_INTEGRITY[arch],
    });
  }
});

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
