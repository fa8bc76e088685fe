import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import {
  diffManifests,
  type InstanceSpec,
  type Manifest,
  manifestText,
  type RequestBody,
  SlError,
} from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveOf } from '../../../../test/builders/tar-archive.ts';
import { FakeNode, fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import type { Releases, RequestContext } from '../ports.ts';
import { createReleases } from './releases.ts';

let root: string;
let node: FakeNode;
let releases: Releases;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-releases-'));
  node = new FakeNode();
  await restart();
});
afterEach(() => rm(root, { recursive: true }));

/** An agent that is started again on the same disk. */
async function restart(): Promise<void> {
  releases = createReleases(await fakeReleasePorts(root, node));
  await releases.recover();
}

const name = (n: number) => `blog.20260131_00${n}`;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function context(archive?: Buffer, signal = new AbortController().signal): RequestContext {
  return {
    signal,
    progress: () => undefined,
    openTransfer: async () => Duplex.from([archive ?? Buffer.alloc(0)]),
  };
}

function specOf(n: number, change: Partial<InstanceSpec> = {}): InstanceSpec {
  return {
    app: 'blog',
    instance: name(n),
    platform: 'node',
    runner: 'server.js',
    processes: 0,
    env: { SILVER_MATCH_PATH: '/blog/', CONFIG_MYSQL_PASSWORD: 'secret' },
    packages: [],
    health: { path: '/', host: 'example.com', timeout: 5 },
    ...change,
  };
}

const content = (n: number) => `// release ${n}\n`;
const file = (path: string, text: string) => ({
  path,
  mode: 0o644 as const,
  size: text.length,
  sha256: sha256(text),
});
function manifestOf(n: number): Manifest {
  return {
    version: 1,
    app: 'blog',
    files: [file('app/lib.js', 'shared'), file('app/server.js', content(n))],
    links: [],
  };
}

function offer(n: number) {
  const manifest = manifestOf(n);
  const digest = sha256(manifestText(manifest));
  return releases.offer({ instance: name(n), app: 'blog', digest, manifest }, context());
}

async function stage(n: number, change: Partial<RequestBody<'stage'>> = {}, signal?: AbortSignal) {
  const { missing } = await offer(n);
  const bits = Buffer.from(missing, 'base64')[0] ?? 0;
  const entries = [
    { path: 'app/lib.js', content: 'shared' },
    { path: 'app/server.js', content: content(n) },
  ].filter((_entry, i) => (bits & (1 << i)) !== 0);
  const order = { instance: name(n), deploy: `d${n}`, epoch: releases.epoch(), spec: specOf(n), ...change };
  return releases.stage({ ...order, transfer: 'transfer-of-the-test' }, context(archiveOf(entries), signal));
}

const switchTo = (epoch: number, n: number) => releases.switch({ epoch, active: { blog: name(n) } }, context());
const read = (path: string) => readFile(join(root, 'var/lib/silverlining', path), 'utf8');
const states = async () => Object.fromEntries((await releases.instances()).map((it) => [it.instance, it.state]));

/** Nothing of the instance is anywhere. */
async function expectGone(n: number): Promise<void> {
  expect(await states()).not.toHaveProperty([name(n)]);
  expect([node.running.has(name(n)), node.units.has(name(n))]).toEqual([false, false]);
  expect(await read('proxy/instances.map')).not.toContain(name(n));
  const data = join(root, 'var/lib/silverlining');
  const folders = ['releases', 'instances', 'env', 'tmp/blog'].filter((folder) => existsSync(join(data, folder)));
  const left = await Promise.all(folders.map((folder) => readdir(join(data, folder))));
  expect(left.flat().filter((file) => file.includes(name(n)) || file.startsWith('.'))).toEqual([]);
  expect(existsSync(join(root, 'var/www', name(n)))).toBe(false);
}

describe('staging', () => {
  it('asks for what is missing, starts beside the old one, and is durable', async () => {
    expect((await offer(1)).missing).toBe(Buffer.from([0b11]).toString('base64'));
    expect(await stage(1)).toMatchObject({ port: 20_000 });
    expect((await offer(2)).missing).toBe(Buffer.from([0b10]).toString('base64'));
    expect(await stage(2)).toMatchObject({ port: 20_001 });
    expect([...node.running]).toEqual([name(1), name(2)]);
    expect(await read('proxy/instances.map')).toBe(`${name(1)} 20000\n${name(2)} 20001\n`);
    expect(await readFile(join(root, 'var/www', name(2), 'server.js'), 'utf8')).toBe(content(2));
    await restart();
    expect(await states()).toEqual({ [name(1)]: 'staged', [name(2)]: 'staged' });
  });

  it('keeps secrets out of the journal', async () => {
    await stage(1);
    expect(await read(`instances/${name(1)}.json`)).not.toContain('secret');
    expect(await read(`env/${name(1)}.env`)).toContain('CONFIG_MYSQL_PASSWORD="secret"');
  });

  it('asks for health at the location that the app is mapped at', async () => {
    await stage(1);
    expect(node.questions[0]).toMatchObject({
      port: 20_000,
      path: '/blog/',
      headers: { Host: 'example.com', 'X-Silver-Path': '/blog/' },
    });
  });

  it.each<[string, Partial<FakeNode>, string, string]>([
    ['crashes', { crashing: true }, 'E_APP_CRASHED', 'exited with status 3'],
    ['is not healthy', { answer: () => ({ status: 503, body: '' }) }, 'E_APP_UNHEALTHY', 'it answered 503'],
  ])('leaves nothing and the old one untouched when the new one %s', async (_what, change, code, text) => {
    await stage(1);
    await switchTo(1, 1);
    Object.assign(node, change);
    await expect(stage(2)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
      details: { log: ['last words'] },
    });
    await expectGone(2);
    expect(await states()).toEqual({ [name(1)]: 'active' });
    expect([...node.running]).toEqual([name(1)]);
  });

  it('notices soon when it crashes while it is awaited', async () => {
    const begun = node.time;
    node.answer = () => {
      if (node.time - begun > 1_000) node.crashing = true;
      return { status: 503, body: '' };
    };
    await expect(stage(1)).rejects.toMatchObject({ code: 'E_APP_CRASHED' });
    expect(node.time - begun).toBeLessThan(1_700);
  });

  it('does not ask systemd about one that runs and takes its time', async () => {
    const begun = node.time;
    node.answer = () => ({ status: node.time - begun > 4_000 ? 200 : 503, body: '' });
    node.statusQuestions = 0;
    await stage(1);
    expect(node.statusQuestions).toBe(0);
  });

  it('waits no longer than the health timeout', async () => {
    node.answer = () => ({ status: 500, body: '' });
    const begun = node.time;
    await expect(stage(1)).rejects.toMatchObject({ code: 'E_APP_UNHEALTHY' });
    expect(node.time - begun).toBeLessThanOrEqual(5_000);
  });

  it('leaves nothing when the archive is not what the manifest says', async () => {
    await offer(1);
    const order = { instance: name(1), deploy: 'd1', epoch: 0, spec: specOf(1), transfer: 'transfer-of-the-test' };
    const archive = archiveOf([{ path: 'app/server.js', content: 'x'.repeat(content(1).length) }]);
    await expect(releases.stage(order, context(archive))).rejects.toMatchObject({ code: 'E_MANIFEST' });
    await expectGone(1);
  });

  it('wants an offer first, and a runner that is in the release', async () => {
    const order = { instance: name(1), deploy: 'd1', epoch: 0, spec: specOf(1) };
    await expect(releases.stage(order, context())).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(stage(1, { spec: specOf(1, { runner: '/etc/passwd' }) })).rejects.toMatchObject({
      code: 'E_APP_CONFIG',
    });
  });

  it('takes an archive that comes with the order', async () => {
    await offer(1);
    const entries = [
      { path: 'app/lib.js', content: 'shared' },
      { path: 'app/server.js', content: content(1) },
    ];
    const order = { instance: name(1), deploy: 'd1', epoch: 0, spec: specOf(1) };
    await releases.stage({ ...order, archive: archiveOf(entries).toString('base64') }, context());
    expect(await states()).toEqual({ [name(1)]: 'staged' });
  });

  it('brings a release that is on disk back without a transfer', async () => {
    await stage(1);
    await releases.settle({ app: 'blog', keep: [name(1)], running: [] }, context());
    expect([await states(), node.running.size]).toEqual([{ [name(1)]: 'stopped' }, 0]);
    const order = { instance: name(1), deploy: 'd9', epoch: 0, spec: specOf(1) };
    expect(await releases.stage(order, context())).toMatchObject({ port: 20_000, ms: { received: 0, unpacked: 0 } });
    expect(node.running.has(name(1))).toBe(true);
  });
});

describe('offers of what differs', () => {
  const digestOf = (it: Manifest) => sha256(manifestText(it));
  const base = () => ({ instance: name(1), digest: digestOf(manifestOf(1)) });
  const differs = (more: object = {}) => {
    const changes = diffManifests(manifestOf(1), manifestOf(2));
    const order = { instance: name(2), app: 'blog', digest: digestOf(manifestOf(2)), base: base(), changes };
    return releases.offer({ ...order, ...more }, context());
  };

  it('are made whole from the release that is here', async () => {
    await stage(1);
    expect((await differs()).missing).toBe(Buffer.from([0b10]).toString('base64'));
  });

  it('are refused where that release is not here, is another, or does not lead to what is described', async () => {
    await expect(differs()).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await stage(1);
    await expect(differs({ base: { ...base(), digest: sha256('') } })).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(differs({ digest: sha256('') })).rejects.toMatchObject({ code: 'E_MANIFEST' });
    const folded = { files: [file('app/SERVER.js', 'x')], links: [], removed: [] };
    await expect(differs({ changes: folded })).rejects.toMatchObject({ code: 'E_MANIFEST' });
  });

  it('of a release itself are enough to go back to it, unless it is damaged', async () => {
    const itself = { instance: name(1), digest: digestOf(manifestOf(1)), base: base() };
    await expect(differs(itself)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await stage(1);
    expect((await differs(itself)).missing).toBe('');
  });
});

describe('offers', () => {
  it('are refused when the digest is of something else, or the manifest breaks a rule', async () => {
    const manifest = manifestOf(1);
    const good = { instance: name(1), app: 'blog', digest: sha256(manifestText(manifest)), manifest };
    await expect(releases.offer({ ...good, digest: sha256('') }, context())).rejects.toMatchObject({
      code: 'E_MANIFEST',
    });
    await expect(releases.offer({ ...good, app: 'shop' }, context())).rejects.toMatchObject({ code: 'E_MANIFEST' });
    const twice = { ...manifest, files: [...manifest.files, ...manifest.files] };
    const order = { ...good, manifest: twice, digest: sha256(manifestText(twice)) };
    await expect(releases.offer(order, context())).rejects.toMatchObject({ code: 'E_MANIFEST' });
  });

  it('of a name that stands for other files are refused', async () => {
    await stage(1);
    const manifest = manifestOf(2);
    const order = { instance: name(1), app: 'blog', digest: sha256(manifestText(manifest)), manifest };
    await expect(releases.offer(order, context())).rejects.toMatchObject({ code: 'E_CONFLICT' });
  });
});

describe('aborting', () => {
  it('removes what its deploy staged, and nothing else', async () => {
    await stage(1);
    await stage(2);
    await releases.abort({ instance: name(2), deploy: 'd2' }, context());
    await expectGone(2);
    expect(await states()).toEqual({ [name(1)]: 'staged' });
    await releases.abort({ instance: name(7), deploy: 'd7' }, context());
  });

  it('of a rollback stops the old release and keeps it', async () => {
    await stage(1);
    await releases.abort({ instance: name(1), deploy: 'another' }, context());
    expect([await states(), node.running.size]).toEqual([{ [name(1)]: 'stopped' }, 0]);
    expect(existsSync(join(root, 'var/www', name(1), 'server.js'))).toBe(true);
  });

  it('ends a staging that is under way, and waits until it is gone', async () => {
    let asked: () => void = () => undefined;
    const hanging = new Promise<void>((resolve) => {
      asked = resolve;
    });
    let release: () => void = () => undefined;
    node.answer = () =>
      new Promise((resolve) => {
        release = () => resolve({ status: 200, body: '' });
        asked();
      });
    const staging = stage(1);
    const failed = expect(staging).rejects.toMatchObject({ code: 'E_ABORTED' });
    await hanging;
    expect(await states()).toEqual({ [name(1)]: 'staging' });
    const aborting = releases.abort({ instance: name(1), deploy: 'd1' }, context());
    release();
    await Promise.all([failed, aborting]);
    await expectGone(1);
  });

  it('never touches what is active', async () => {
    await stage(1);
    await switchTo(1, 1);
    await expect(releases.abort({ instance: name(1), deploy: 'd1' }, context())).rejects.toMatchObject({
      code: 'E_CONFLICT',
    });
    await releases.abort({ instance: name(1), deploy: 'another' }, context());
    expect(await states()).toEqual({ [name(1)]: 'active' });
  });
});

describe('switching', () => {
  it('is durable, and lets the node have requests once it has all that is active', async () => {
    expect(await switchTo(3, 1)).toEqual({ epoch: 3, at: node.time });
    expect(existsSync(join(root, 'var/lib/silverlining/proxy/ready'))).toBe(false);
    await stage(1);
    expect(existsSync(join(root, 'var/lib/silverlining/proxy/ready'))).toBe(true);
    expect(await read('proxy/active.map')).toBe(`blog ${name(1)}\n`);
    await switchTo(3, 1);
    expect([...node.enabled]).toEqual([name(1)]);
    await restart();
    expect([releases.epoch(), releases.active()]).toEqual([3, { blog: name(1) }]);
  });

  it('refuses an older epoch, and another map under the same one', async () => {
    await switchTo(3, 1);
    await expect(switchTo(2, 2)).rejects.toMatchObject({ code: 'E_STALE_EPOCH', details: { newest: 3 } });
    await expect(switchTo(3, 2)).rejects.toMatchObject({ code: 'E_CONFLICT' });
    await expect(stage(1, { epoch: 2 })).rejects.toMatchObject({ code: 'E_STALE_EPOCH' });
    expect(releases.active()).toEqual({ blog: name(1) });
  });

  it('changes the balancer, and counts what an old release gets after it', async () => {
    node.roles = ['balancer'];
    node.table = { [name(1)]: { requests: 10, failed: 0, mismatched: 0 } };
    await switchTo(1, 2);
    expect(node.balancerMap).toEqual({ blog: name(2) });
    expect((await releases.traffic({ since: 0 }, context())).stale).toBe(0);
    node.table = {
      [name(1)]: { requests: 11, failed: 0, mismatched: 0 },
      [name(2)]: { requests: 4, failed: 1, mismatched: 0 },
    };
    await restart();
    // The same order again must not move the baseline.
    await switchTo(1, 2);
    expect(await releases.traffic({ since: 0 }, context())).toEqual({
      releases: { [name(1)]: { requests: 11, failed: 0 }, [name(2)]: { requests: 4, failed: 1 } },
      stale: 1,
    });
  });
});

describe('update_fetch', () => {
  const order = (fetches: RequestBody<'hook'>['fetches']): RequestBody<'hook'> => ({
    instance: name(1),
    deploy: 'd1',
    turn: 'primary',
    timeout: 5,
    fetches,
  });

  it('asks the app, marked, and stops at the first failure', async () => {
    await stage(1);
    node.answer = ({ path }) => (path === '/blog/bad' ? { status: 500, body: 'no table' } : { status: 302, body: '' });
    const paths = ['/good', '/bad', '/never'].map((path) => ({ kind: 'path' as const, path }));
    const { results } = await releases.hook(order(paths), context());
    expect(results.map(({ fetch, ok, detail }) => [fetch, ok, detail])).toEqual([
      ['/good', true, '302'],
      ['/bad', false, 'it answered 500: no table'],
    ]);
    expect(node.questions.at(-1)?.headers).toMatchObject({ 'X-Silver-Update': 'primary', Host: 'example.com' });
  });

  it('runs once for a deploy, even when the agent is started again', async () => {
    await stage(1);
    const hook = order([{ kind: 'script', argv: ['migrate', '--all'] }]);
    const [one, two] = await Promise.all([releases.hook(hook, context()), releases.hook(hook, context())]);
    await restart();
    expect([two, await releases.hook(hook, context())]).toEqual([one, one]);
    expect(node.scripts).toEqual([['migrate', '--all']]);
  });

  it('says that it may have run when the agent died meanwhile', async () => {
    await stage(1);
    node.answer = () => new Promise(() => undefined);
    void releases.hook(order([{ kind: 'path', path: '/x' }]), context());
    await expect.poll(() => read(`instances/${name(1)}.json`)).toContain('"started"');
    await restart();
    const { results } = await releases.hook(order([{ kind: 'path', path: '/x' }]), context());
    expect(results).toMatchObject([{ ok: false, detail: expect.stringContaining('may have run') }]);
  });

  it('says that it may have run when the app does not answer in time', async () => {
    await stage(1);
    node.answer = () => Promise.reject(new SlError('E_DEADLINE', 'no answer within 5 s'));
    const { results } = await releases.hook(order([{ kind: 'path', path: '/x' }]), context());
    expect(results).toMatchObject([{ ok: false, detail: 'no answer within 5 s; it may have run' }]);
  });

  it('names a script that is nowhere', async () => {
    await stage(1);
    const { results } = await releases.hook(order([{ kind: 'script', argv: ['missing'] }]), context());
    expect(results).toMatchObject([
      { fetch: 'script:missing', ok: false, detail: expect.stringContaining('no such program') },
    ]);
  });
});

describe('settling', () => {
  it('stops what drained, removes what is not kept, and the contents that only it had', async () => {
    for (const n of [1, 2, 3]) await stage(n);
    await switchTo(1, 3);
    const reply = await releases.settle({ app: 'blog', keep: [name(2)], running: [] }, context());
    expect(reply).toEqual({ stopped: [name(2)], removed: [name(1)] });
    await expectGone(1);
    expect(await states()).toEqual({ [name(2)]: 'stopped', [name(3)]: 'active' });
    const blob = (text: string) => join(root, 'var/lib/silverlining/store', text.slice(0, 2), text.slice(2));
    expect([1, 2].map((n) => existsSync(blob(sha256(content(n)))))).toEqual([false, true]);
    expect(existsSync(blob(sha256('shared')))).toBe(true);
  });
});

describe('starting again', () => {
  it('removes what was never voted for', async () => {
    await stage(1);
    await stage(2);
    await rm(join(root, 'var/lib/silverlining/instances', `${name(2)}.json`));
    await restart();
    await expectGone(2);
    expect(await states()).toEqual({ [name(1)]: 'staged' });
  });

  it('starts what was prepared after a boot, and does not serve what is damaged', async () => {
    await stage(1);
    await stage(2);
    await switchTo(1, 1);
    node.booted = true;
    node.running.clear();
    await rm(join(root, 'var/lib/silverlining/releases', name(2), 'app/server.js'));
    await restart();
    expect([...node.running]).toEqual([name(1)]);
    expect(await states()).toEqual({ [name(1)]: 'active', [name(2)]: 'failed' });
    expect(existsSync(join(root, 'var/lib/silverlining/proxy/ready'))).toBe(true);
  });

  it('reports the health of what is active', async () => {
    await stage(1);
    await switchTo(1, 1);
    const signal = new AbortController().signal;
    expect(await releases.appHealth(signal)).toEqual([
      { app: 'blog', instance: name(1), healthy: true, status: 200, restarts: 0 },
    ]);
    const answer = { app: 'blog', instance: name(1), run: `run of ${name(1)}` };
    expect(await releases.appAnswers(signal)).toEqual([{ ...answer, healthy: true, status: 200 }]);
    node.answer = () => ({ status: 503, body: '' });
    expect(await releases.appAnswers(signal, 5)).toEqual([
      { ...answer, healthy: false, status: 503, log: ['last words'] },
    ]);
  });
});

it('can be taken off the node without a trace', async () => {
  await stage(1);
  await switchTo(1, 1);
  await releases.removeAll();
  await expectGone(1);
  expect([releases.epoch(), releases.active()]).toEqual([0, {}]);
  expect(existsSync(join(root, 'var/lib/silverlining/store'))).toBe(false);
});
