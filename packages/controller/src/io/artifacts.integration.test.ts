import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Artifacts, createArtifacts } from './artifacts.ts';

const run = promisify(execFile);
let cache: string;
let artifacts: Artifacts;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'sl-artifacts-'));
  artifacts = createArtifacts(cache);
});
afterAll(() => rm(cache, { recursive: true }));

it('the agent is one file that can be loaded, small and without what only the bootstrap needs', async () => {
  const bundle = await artifacts.agentBundle();
  expect(bundle.path).toBe(join(cache, 'agent', bundle.digest, 'agent.js'));
  await run(process.execPath, [bundle.path, '--try']);
  const text = await readFile(bundle.path, 'utf8');
  expect(text).not.toContain('Pkcs10');
  expect(text).not.toContain('SL_FAILPOINT');
  expect(text.length).toBeLessThan(400_000);
});

it('the agent can say what is wrong with a message', async () => {
  const { path } = await artifacts.agentBundle();
  // From zod's English, which is loaded for its effect alone: a bundler may take it for something that nobody needs.
  expect(await readFile(path, 'utf8')).toContain('Invalid input: expected');
});

it('only the agent of the fault tests has failpoints', async () => {
  const test = fileURLToPath(new URL('../../../../test/failpoints/agent.ts', import.meta.url));
  const { path } = await createArtifacts(cache, test).agentBundle();
  expect(await readFile(path, 'utf8')).toContain('SL_FAILPOINT');
});

it('nothing of the bundler stays when all bundles are made', async () => {
  const { agentBundle, enrolBundle } = createArtifacts(cache);
  await Promise.all([agentBundle(), enrolBundle()]);
  await expect.poll(childNames, { timeout: 5_000 }).not.toContain('esbuild\n');
});

it('bundles are the same each time', async () => {
  const again = await createArtifacts(cache).agentBundle();
  expect(again).toEqual(await artifacts.agentBundle());
});

it.each([
  ['gone from the cache', (path: string) => rm(path)],
  ['cut short there', (path: string) => truncate(path, 100)],
])('a bundle that is %s is made again', async (_what, damage) => {
  const { path, size } = await artifacts.agentBundle();
  await damage(path);
  const [again] = await Promise.all([artifacts.agentBundle(), artifacts.agentBundle()]);
  expect(again.path).toBe(path);
  expect(await readFile(path)).toHaveLength(size);
});

it('who asks for the runtime while another makes it gets it when that one is cancelled', async () => {
  const made = createArtifacts(await mkdtemp(join(cache, 'cancelled-')));
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const first = new AbortController();
  const cancelled = made.runtime(arch, () => first.abort(), first.signal);
  const other = made.runtime(arch, () => undefined, new AbortController().signal);
  const [ended, given] = await Promise.allSettled([cancelled, other]);
  expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'E_ABORTED' } });
  expect(given).toMatchObject({ status: 'fulfilled', value: { arch } });
}, 60_000);

it('who waits for the runtime that another makes can give that up', async () => {
  const made = createArtifacts(await mkdtemp(join(cache, 'given-up-')));
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const [first, second] = [new AbortController(), new AbortController()];
  let isMade = false;
  const making = made
    .runtime(arch, () => second.abort(), first.signal)
    .finally(() => {
      isMade = true;
      first.abort();
    });
  making.catch(() => undefined);
  await expect(made.runtime(arch, () => undefined, second.signal)).rejects.toMatchObject({ code: 'E_ABORTED' });
  expect(isMade).toBe(false);
  first.abort();
  await expect(making).rejects.toMatchObject({ code: 'E_ABORTED' });
}, 60_000);

it('the enrolment program makes a key of its own and a request for it', async () => {
  const { path } = await artifacts.enrolBundle();
  const key = join(cache, 'key.pem');
  const { stdout } = await run(process.execPath, [path, 'key', key]);
  expect(stdout).toContain('-----BEGIN CERTIFICATE REQUEST-----');
  expect(await readFile(key, 'utf8')).toContain('-----BEGIN PRIVATE KEY-----');
  await expect(run(process.execPath, [path, 'key', key])).rejects.toThrow('EEXIST');
  await expect(run(process.execPath, [path, 'reach', '127.0.0.1', '1'])).rejects.toThrow('ECONNREFUSED');
});

/** The names of this process's children. */
async function childNames(): Promise<string[]> {
  const ids = (await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')).match(/\d+/g) ?? [];
  return Promise.all(ids.map((id) => readFile(`/proc/${id}/comm`, 'utf8').catch(() => '')));
}
