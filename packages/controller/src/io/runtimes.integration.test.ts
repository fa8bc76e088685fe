import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
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

it('what earlier versions made goes when a new one is made, and nothing that is young or of another architecture', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'sl-runtimes-'));
  onTestFinished(() => rm(cache, { recursive: true }));
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const other = arch === 'x64' ? 'arm64' : 'x64';
  const folder = join(cache, 'runtime');
  await mkdir(join(folder, 'fetch-cut'), { recursive: true });
  const index = (digest: string) => JSON.stringify({ source: 'before', digest, size: 1 });
  await writeFile(join(folder, `${arch}.json`), index('former'));
  await writeFile(join(folder, `${other}.json`), index('other'));
  for (const name of ['former.gz', 'other.gz', 'cut.tmp', `node-24.0.0-${other}`])
    await writeFile(join(folder, name), '');
  for (const name of await readdir(folder)) await utimes(join(folder, name), 1, 1);
  await writeFile(join(folder, 'young.tmp'), '');
  const { digest } = await findRuntime(arch, { cache, report: () => undefined, signal: new AbortController().signal });
  const left = [`${arch}.json`, `${other}.json`, `${digest}.gz`, 'other.gz', 'young.tmp'];
  expect((await readdir(folder)).sort()).toEqual(left.sort());
}, 60_000);
