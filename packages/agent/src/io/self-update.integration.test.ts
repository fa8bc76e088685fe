import { createHash, randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { linkDurable } from '@silverlining/system';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentPaths, agentPaths } from '../core/paths.ts';
import type { SelfUpdate } from '../ports.ts';
import { createSelfUpdate } from './self-update.ts';
import { countCrash, takeBack } from './update-guard.ts';

/** What loads, and so can be asked whether it does. */
const OLD = '/* old */';
const NEW = '/* new */';
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex');

let root: string;
let paths: AgentPaths;
const later: (readonly string[])[] = [];
let restarts = 0;
let reloads = 0;
const host = {
  later: async (argv: readonly string[]) => void later.push(argv),
  restartAgent: async () => {
    restarts += 1;
  },
  reloadUnits: async () => {
    reloads += 1;
  },
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-update-'));
  paths = agentPaths(root);
  later.length = 0;
  restarts = 0;
  reloads = 0;
  await mkdir(join(paths.bundles, digestOf(OLD)), { recursive: true });
  await writeFile(join(paths.bundles, digestOf(OLD), 'agent.js'), OLD);
  await mkdir(dirname(paths.bundleLink), { recursive: true });
  await symlink(`agent/${digestOf(OLD)}/agent.js`, paths.bundleLink);
});
afterEach(() => rmSync(root, { recursive: true }));

type Order = Parameters<SelfUpdate['install']>[1];
const { signal } = new AbortController();
/** The id of the latest update, as what is to take it back was told. */
const latest = () => later.at(-1)?.at(-1) ?? '';

/** The process that systemd would start now. */
const started = () => createSelfUpdate(paths, paths.bundleLink, host);
const install = async (content: string, order: Partial<Order> = {}) =>
  (await started()).install(Duplex.from([Buffer.from(content)]), { digest: digestOf(content), ...order }, signal);
const current = async () => (await readlink(paths.bundleLink)).split('/')[1];

describe('a new bundle', () => {
  it('is the next one to start, has to prove itself, and stays once it is welcomed', async () => {
    await install(NEW);
    expect(await current()).toBe(digestOf(NEW));
    const next = await started();
    expect(next.program.agentDigest).toBe(digestOf(NEW));
    expect(await next.begin()).toBe('prove');
    await next.confirm();
    expect(await (await started()).begin()).toBe('nothing');
    expect(await takeBack(paths, latest(), host)).toBe(false);
    expect(await current()).toBe(digestOf(NEW));
    expect((await readdir(paths.bundles)).sort()).toEqual([digestOf(OLD), digestOf(NEW)].sort());
  });

  it('is not confirmed by the one before it, which may be welcomed once more before it ends', async () => {
    const old = await started();
    await old.begin();
    await old.install(Duplex.from([Buffer.from(NEW)]), { digest: digestOf(NEW) }, signal);
    await old.confirm();
    const next = await started();
    expect(next.program.agentDigest).toBe(digestOf(NEW));
    expect(await next.begin()).toBe('prove');
    expect(await takeBack(paths, latest(), host)).toBe(true);
    expect(await current()).toBe(digestOf(OLD));
  });

  it('takes itself back when nobody welcomes it', async () => {
    await install(NEW);
    const next = await started();
    await next.begin();
    await next.rollBack();
    const again = await started();
    expect(again.program.agentDigest).toBe(digestOf(OLD));
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
    expect(later).toEqual([[process.execPath, bundle, '--take-back', expect.any(String)]]);
    expect(await takeBack(paths, latest(), host)).toBe(true);
    expect(await current()).toBe(digestOf(OLD));
    expect(restarts).toBe(1);
    expect(await takeBack(paths, latest(), host)).toBe(false);
  });

  it('that crashed twice before it was welcomed stays, and nothing counts what it does later', async () => {
    await install(NEW);
    for (let i = 0; i < 2; i++) {
      await (await started()).begin();
      expect(await countCrash(paths, latest(), host)).toBe(false);
    }
    const next = await started();
    expect(await next.begin()).toBe('prove');
    await next.confirm();
    expect(existsSync(paths.crashScript)).toBe(false);
    expect(await countCrash(paths, latest(), host)).toBe(false);
    expect(await current()).toBe(digestOf(NEW));
  });

  it('is left alone by what an earlier update left behind', async () => {
    await install(NEW);
    const earlier = latest();
    const next = await started();
    await next.begin();
    await next.confirm();
    await install(NEW);
    expect(await takeBack(paths, earlier, host)).toBe(false);
    for (let i = 0; i < 3; i++) expect(await countCrash(paths, earlier, host)).toBe(false);
    expect(await current()).toBe(digestOf(NEW));
    expect(restarts).toBe(0);
  });
});

describe('a new unit file and a new Node', () => {
  /** What takes the place of Node: it runs itself, whatever it is given. */
  const RUNTIME = '#!/bin/sh\nexit 0\n';
  const unit = (flags: string) => `[Service]\nExecStart=${paths.runtimeLink} ${flags} ${paths.bundleLink}\n`;
  const unitNow = () => readFile(paths.unit, 'utf8');
  const runtimeNow = async () => (await readlink(paths.runtimeLink)).split('/')[1];
  const takeRuntime = async (content: string, digest = digestOf(content)) =>
    (await started()).takeRuntime(Duplex.from([gzipSync(content)]), digest, signal);

  beforeEach(async () => {
    await mkdir(dirname(paths.unit), { recursive: true });
    await writeFile(paths.unit, unit('--expose-gc'));
    for (const name of ['first', 'second']) await mkdir(join(paths.runtimes, name), { recursive: true });
    await symlink('runtime/second/node', paths.runtimeLink);
  });

  it('come with the bundle, or alone, and stay once the agent is welcomed', async () => {
    expect((await started()).program).toMatchObject({
      ...{ runtime: process.versions.node, unit: digestOf(unit('--expose-gc')) },
    });
    await takeRuntime(RUNTIME);
    await install(OLD, { unit: unit('--no-opt'), runtime: digestOf(RUNTIME) });
    expect(await unitNow()).toBe(unit('--no-opt'));
    expect(await runtimeNow()).toBe(digestOf(RUNTIME));
    expect(reloads).toBe(1);
    const next = await started();
    expect(await next.begin()).toBe('prove');
    await next.confirm();
    expect((await readdir(paths.runtimes)).sort()).toEqual([digestOf(RUNTIME), 'second'].sort());
    expect(await takeBack(paths, latest(), host)).toBe(false);
    expect(await unitNow()).toBe(unit('--no-opt'));
  });

  it('go back with the bundle', async () => {
    await takeRuntime(RUNTIME);
    await install(NEW, { unit: unit('--no-opt'), runtime: digestOf(RUNTIME) });
    expect(await takeBack(paths, latest(), host)).toBe(true);
    expect(await current()).toBe(digestOf(OLD));
    expect(await unitNow()).toBe(unit('--expose-gc'));
    expect(await runtimeNow()).toBe('second');
    expect({ reloads, restarts }).toEqual({ reloads: 2, restarts: 1 });
    expect(await (await started()).begin()).toBe('nothing');
  });

  it('leave nothing behind where the agent ended before the bundle was put in place', async () => {
    await takeRuntime(RUNTIME);
    await install(NEW, { unit: unit('--no-opt'), runtime: digestOf(RUNTIME) });
    await linkDurable(paths.bundleLink, `agent/${digestOf(OLD)}/agent.js`);
    expect(await (await started()).begin()).toBe('nothing');
    expect(await unitNow()).toBe(unit('--expose-gc'));
    expect(await runtimeNow()).toBe('second');
    expect(await takeBack(paths, latest(), host)).toBe(false);
  });

  it('remove what a cut left half-written beside them, and nothing of others', async () => {
    const temporary = (path: string) => `${path}.${randomUUID()}.dpkg-tmp`;
    const replaced = [
      paths.unit,
      paths.runtimeLink,
      paths.bundleLink,
      paths.topology,
      paths.certificate,
      paths.crashScript,
      join(paths.state, 'update.json'),
    ];
    const litter = replaced.map(temporary);
    const half = temporary(join(paths.bundles, digestOf(NEW), 'agent.js'));
    const others = temporary(join(dirname(paths.unit), 'others.service'));
    for (const path of [...litter, half, others]) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, 'hal');
    }
    await (await started()).begin();
    await install(NEW);
    expect([...litter, half, others].filter((it) => existsSync(it))).toEqual([others]);
  });

  it.each<[string, () => Partial<Order>, RegExp]>([
    ['has flags that Node does not know', () => ({ unit: unit('--no-such-flag') }), /cannot be loaded/],
    ['starts something else', () => ({ unit: '[Service]\nExecStart=/bin/true\n' }), /starts something else/],
    ['wants a Node that is not there', () => ({ runtime: digestOf('nowhere') }), /cannot be loaded/],
  ])('are refused when what comes %s, and all stays as it is', async (_what, order, message) => {
    for (const content of [NEW, OLD]) {
      await expect(install(content, order())).rejects.toMatchObject({
        ...{ code: 'E_CONFLICT', message: expect.stringMatching(message) },
      });
    }
    expect(await unitNow()).toBe(unit('--expose-gc'));
    expect(await runtimeNow()).toBe('second');
    expect(await readdir(paths.bundles)).toEqual([digestOf(OLD)]);
    expect({ reloads, later }).toEqual({ reloads: 0, later: [] });
  });
});

describe('nothing changes', () => {
  it.each([
    ['with another digest than was ordered', NEW, { digest: digestOf(OLD) }, /another digest/],
    ['that cannot be loaded', 'this is not JavaScript', {}, /cannot be loaded/],
  ])('for a bundle %s', async (_what, content, order, message) => {
    await expect(install(content, order)).rejects.toMatchObject({
      code: 'E_CONFLICT',
      message: expect.stringMatching(message),
    });
    expect(await current()).toBe(digestOf(OLD));
    expect(later).toEqual([]);
    expect(await readdir(paths.bundles)).toEqual([digestOf(OLD)]);
    expect(await (await started()).begin()).toBe('nothing');
  });
});
