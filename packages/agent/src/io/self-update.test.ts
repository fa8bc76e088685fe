import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentPaths, agentPaths } from '../core/paths.ts';
import { createSelfUpdate, takeBack } from './self-update.ts';

/** What loads, and so can be asked whether it does. */
const OLD = '/* old */';
const NEW = '/* new */';
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

let root: string;
let paths: AgentPaths;
const later: (readonly string[])[] = [];
let restarts = 0;
const host = {
  later: async (argv: readonly string[]) => void later.push(argv),
  restartAgent: async () => {
    restarts += 1;
  },
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-update-'));
  paths = agentPaths(root);
  later.length = 0;
  restarts = 0;
  await mkdir(join(paths.bundles, digestOf(OLD)), { recursive: true });
  await writeFile(join(paths.bundles, digestOf(OLD), 'agent.js'), OLD);
  await mkdir(dirname(paths.bundleLink), { recursive: true });
  await symlink(`agent/${digestOf(OLD)}/agent.js`, paths.bundleLink);
});
afterEach(() => rm(root, { recursive: true }));

/** The process that systemd would start now. */
const started = () => createSelfUpdate(paths, paths.bundleLink, host);
const install = async (content: string, digest = digestOf(content)) =>
  (await started()).install(Duplex.from([Buffer.from(content)]), digest, new AbortController().signal);
const current = async () => (await readlink(paths.bundleLink)).split('/')[1];

describe('a new bundle', () => {
  it('is the next one to start, has to prove itself, and stays once it is welcomed', async () => {
    await install(NEW);
    expect(await current()).toBe(digestOf(NEW));
    const next = await started();
    expect(next.digest).toBe(digestOf(NEW));
    expect(await next.begin()).toBe('prove');
    await next.confirm();
    expect(await (await started()).begin()).toBe('nothing');
    expect(await takeBack(paths, digestOf(NEW), host)).toBe(false);
    expect(await current()).toBe(digestOf(NEW));
    expect((await readdir(paths.bundles)).sort()).toEqual([digestOf(OLD), digestOf(NEW)].sort());
  });

  it('takes itself back when nobody welcomes it', async () => {
    await install(NEW);
    const next = await started();
    await next.begin();
    await next.rollBack();
    const again = await started();
    expect(again.digest).toBe(digestOf(OLD));
    expect(await again.begin()).toBe('nothing');
  });

  it('that crashes again and again leaves', async () => {
    await install(NEW);
    const starts = [];
    for (let i = 0; i < 4; i++) starts.push(await (await started()).begin());
    expect(starts).toEqual(['prove', 'prove', 'prove', 'leave']);
    expect(await current()).toBe(digestOf(OLD));
  });

  it('that never comes as far as that is taken back by the one before it', async () => {
    await install(NEW);
    const bundle = join(paths.bundles, digestOf(OLD), 'agent.js');
    expect(later).toEqual([[process.execPath, bundle, '--take-back', digestOf(NEW)]]);
    expect(await takeBack(paths, digestOf(NEW), host)).toBe(true);
    expect(await current()).toBe(digestOf(OLD));
    expect(restarts).toBe(1);
    expect(await takeBack(paths, digestOf(NEW), host)).toBe(false);
  });

  it('is left alone by what an earlier update left behind', async () => {
    await install(NEW);
    expect(await takeBack(paths, digestOf('earlier'), host)).toBe(false);
    expect(await current()).toBe(digestOf(NEW));
    expect(restarts).toBe(0);
  });
});

describe('nothing changes', () => {
  it.each([
    ['with another digest than was ordered', NEW, digestOf(OLD), /another digest/],
    ['that cannot be loaded', 'this is not JavaScript', undefined, /cannot be loaded/],
  ])('for a bundle %s', async (_what, content, digest, message) => {
    await expect(install(content, digest)).rejects.toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringMatching(message),
    });
    expect(await current()).toBe(digestOf(OLD));
    expect(later).toEqual([]);
    expect(await readdir(paths.bundles)).toEqual([digestOf(OLD)]);
    expect(await (await started()).begin()).toBe('nothing');
  });
});
