/** Releases of an app `blog`, by number, on a fake node with a disk of its own. */
import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type InstanceSpec, type Manifest, manifestText, type RequestBody } from '@silverlining/protocol';
import { afterEach, beforeEach, expect } from 'vitest';
import { createReleases } from '../../packages/agent/src/app/releases.ts';
import type { Releases, RequestContext } from '../../packages/agent/src/ports.ts';
import { archiveOf } from '../builders/tar-archive.ts';
import { FakeNode, fakeReleasePorts } from './release-ports.ts';

interface Blog {
  root: string;
  node: FakeNode;
  releases: Releases;
}

/** Another one for each test of a file that calls `useBlog`. */
export const blog = {} as Blog;

/** To be called once in a file, before its tests. */
export function useBlog(): void {
  beforeEach(async () => {
    blog.root = await mkdtemp(join(tmpdir(), 'sl-releases-'));
    blog.node = new FakeNode();
    await restart();
  });
  afterEach(() => rmSync(blog.root, { recursive: true }));
}

/** An agent that is started again on the same disk. */
export async function restart(): Promise<void> {
  blog.releases = createReleases(await fakeReleasePorts(blog.root, blog.node));
  await blog.releases.recover();
}

export const name = (n: number) => `blog.20260131_00${n}`;
export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export function context(archive?: Buffer, signal = new AbortController().signal): RequestContext {
  return {
    signal,
    progress: () => undefined,
    openTransfer: async () => Duplex.from([archive ?? Buffer.alloc(0)]),
  };
}

export function specOf(n: number, change: Partial<InstanceSpec> = {}): InstanceSpec {
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

export const content = (n: number) => `// release ${n}\n`;

/** As it is listed in a manifest. */
export const file = (path: string, text: string) => ({
  path,
  mode: 0o644 as const,
  size: text.length,
  sha256: sha256(text),
});

export function manifestOf(n: number): Manifest {
  return {
    version: 1,
    app: 'blog',
    files: [file('app/lib.js', 'shared'), file('app/server.js', content(n))],
    links: [],
  };
}

export function offer(n: number, signal?: AbortSignal) {
  const manifest = manifestOf(n);
  const digest = sha256(manifestText(manifest));
  return blog.releases.offer({ instance: name(n), app: 'blog', digest, manifest }, context(undefined, signal));
}

export async function stage(n: number, change: Partial<RequestBody<'stage'>> = {}, signal?: AbortSignal) {
  const { missing } = await offer(n);
  const bits = Buffer.from(missing, 'base64')[0] ?? 0;
  const entries = [
    { path: 'app/lib.js', content: 'shared' },
    { path: 'app/server.js', content: content(n) },
  ].filter((_entry, i) => (bits & (1 << i)) !== 0);
  const order = { instance: name(n), deploy: `d${n}`, epoch: blog.releases.epoch(), spec: specOf(n), ...change };
  return blog.releases.stage({ ...order, transfer: 'transfer-of-the-test' }, context(archiveOf(entries), signal));
}

export const switchTo = (epoch: number, n: number) =>
  blog.releases.switch({ epoch, active: { blog: name(n) } }, context());

/** A file of the agent's own. */
export const read = (path: string) => readFile(join(blog.root, 'var/lib/silverlining', path), 'utf8');

export const states = async () =>
  Object.fromEntries((await blog.releases.instances()).map((it) => [it.instance, it.state]));

/** Nothing of the instance is anywhere. */
export async function expectGone(n: number): Promise<void> {
  expect(await states()).not.toHaveProperty([name(n)]);
  expect([blog.node.running.has(name(n)), blog.node.units.has(name(n))]).toEqual([false, false]);
  expect(await read('proxy/instances.map')).not.toContain(name(n));
  const data = join(blog.root, 'var/lib/silverlining');
  const folders = ['releases', 'instances', 'env', 'tmp/blog'].filter((folder) => existsSync(join(data, folder)));
  const left = await Promise.all(folders.map((folder) => readdir(join(data, folder))));
  expect(left.flat().filter((file) => file.includes(name(n)) || file.startsWith('.'))).toEqual([]);
  expect(existsSync(join(blog.root, 'var/www', name(n)))).toBe(false);
}
