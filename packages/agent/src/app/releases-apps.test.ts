/** Several apps on one node. */
import { appendFile, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import {
  CHUNK_DIGEST,
  CHUNKED_FROM,
  diffManifests,
  encodeBitmap,
  MAX_CHUNK,
  MAX_CONTROL_FRAME,
  type ManifestFile,
  manifestText,
  SlError,
} from '@silverlining/protocol';
import { describe, expect, it, vi } from 'vitest';
import { archiveOf, type TarEntry } from '../../../../test/builders/tar-archive.ts';
import {
  blog,
  context,
  file,
  manifestOf,
  name,
  offer,
  restart,
  sha256,
  specOf,
  stage,
  states,
  switchTo,
  useBlog,
} from '../../../../test/fakes/blog.ts';
import { fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import { createReleases } from './releases.ts';

useBlog();

const instanceOf = (app: string) => `${app}.20260131_001`;
const entryOf = (app: string): TarEntry => ({ path: 'app/server.js', content: app });

/** A release of one file of its own, and of others. */
async function offerApp(app: string, others: readonly ManifestFile[] = []): Promise<string> {
  const files = [...others, file('app/server.js', app)];
  const manifest = { version: 1 as const, app, files, links: [] };
  const digest = sha256(manifestText(manifest));
  return (await blog.releases.offer({ instance: instanceOf(app), app, digest, manifest }, context())).missing;
}

async function stageApp(app: string, entries: readonly TarEntry[] = [entryOf(app)]): Promise<void> {
  const instance = instanceOf(app);
  const order = { instance, deploy: 'd', epoch: 0, spec: specOf(1, { app, instance }), transfer: 'of the test' };
  await blog.releases.stage(order, context(archiveOf(entries)));
}

it.each(['proxy', 'switch'])('an app named %s is staged, and keeps no other from being switched to', async (app) => {
  await stage(1);
  let answer: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    blog.node.answer = () => {
      resolve();
      return new Promise((done) => {
        answer = () => done({ status: 200, body: '' });
      });
    };
  });
  await offerApp(app);
  const staging = stageApp(app);
  await asked;
  await switchTo(1, 1);
  answer();
  await staging;
  expect(await states()).toMatchObject({ [instanceOf(app)]: 'staged' });
});

it('stages every app of a deploy, however many were offered before the first of them', async () => {
  const apps = Array.from({ length: 40 }, (_, i) => `site${i}`);
  for (const app of apps) await offerApp(app);
  for (const app of apps) await stageApp(app);
  expect(await states()).toEqual(Object.fromEntries(apps.map((app) => [instanceOf(app), 'staged'])));
});

it('the logs of many apps have room in one answer, whatever they wrote', async () => {
  const apps = Array.from({ length: 40 }, (_, i) => `site${i}`);
  for (const app of apps) {
    await offerApp(app);
    await stageApp(app);
  }
  const active = Object.fromEntries(apps.map((app) => [app, instanceOf(app)]));
  await blog.releases.switch({ epoch: 1, active }, context());
  blog.node.log = Array(60).fill('\x1b'.repeat(10_000));
  const answers = await blog.releases.appAnswers(context().signal, 60);
  expect(answers.map((it) => it.log?.length)).toEqual(apps.map(() => expect.any(Number)));
  expect(JSON.stringify(answers).length).toBeLessThan(MAX_CONTROL_FRAME);
});

it('remembers one offer of an app, the newest', async () => {
  await offer(1);
  await offer(2);
  const order = { instance: name(1), deploy: 'd1', epoch: 0, spec: specOf(1) };
  await expect(blog.releases.stage(order, context())).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
});

it('an offer that was cancelled does not take the place of the one that follows', async () => {
  const cancelled = new AbortController();
  const earlier = offer(1, cancelled.signal);
  cancelled.abort(new SlError('E_ABORTED', 'the deploy was given up'));
  await Promise.all([expect(earlier).rejects.toMatchObject({ code: 'E_ABORTED' }), stage(2)]);
  expect(await states()).toEqual({ [name(2)]: 'staged' });
});

it('takes for granted what a release has again once all files of a later one were looked for', async () => {
  const ports = await fakeReleasePorts(blog.root, blog.node);
  const salvage = vi.spyOn(ports.store, 'salvage');
  blog.releases = createReleases(ports);
  /** How many files are looked for when a release is offered by what differs from another. */
  const lookedFor = async (next: number, base: number) => {
    const [digest, baseDigest] = [next, base].map((n) => sha256(manifestText(manifestOf(n)))) as [string, string];
    const changes = diffManifests(manifestOf(base), manifestOf(next));
    const order = { instance: name(next), app: 'blog', digest, base: { instance: name(base), digest: baseDigest } };
    await blog.releases.offer({ ...order, changes }, context());
    return salvage.mock.lastCall?.[0].length;
  };
  await stage(1);
  expect(await lookedFor(2, 1)).toBe(1);
  await offerApp('shop');
  await expect(stageApp('shop', [{ ...entryOf('shop'), content: 'SHOP' }])).rejects.toMatchObject({
    code: 'E_MANIFEST',
  });
  expect(await lookedFor(2, 1)).toBe(2);
  await stage(2);
  expect(await lookedFor(3, 2)).toBe(1);
});

describe('what two apps of a deploy have in common, and the node lacks', () => {
  const shared = file('app/lib.js', 'shared');
  const entry: TarEntry = { path: shared.path, content: 'shared' };
  const store = (path: string) => join(blog.root, 'var/lib/silverlining/store', path);
  const stored = ({ sha256: sum }: ManifestFile) => store(`${sum.slice(0, 2)}/${sum.slice(2)}`);

  it('may come with each of them, and is kept once', async () => {
    expect(await Promise.all(['one', 'two'].map((app) => offerApp(app, [shared])))).toEqual(
      Array(2).fill(encodeBitmap(2, [0, 1])),
    );
    await stageApp('one', [entry, entryOf('one')]);
    const { ino } = await stat(stored(shared));
    await stageApp('two', [entry, entryOf('two')]);
    expect(await states()).toEqual({ [instanceOf('one')]: 'staged', [instanceOf('two')]: 'staged' });
    expect(await stat(stored(shared))).toMatchObject({ ino, nlink: 3 });
  });

  it.each<[string, TarEntry[], string, string]>([
    ['twice', [entry, entry, entryOf('two')], 'E_TAR_ENTRY', 'comes twice'],
    ['with another size', [{ ...entry, content: 'x' }, entryOf('two')], 'E_MANIFEST', '1 bytes in the archive, 6'],
    ['with another content', [{ ...entry, content: 'SHARED' }, entryOf('two')], 'E_MANIFEST', 'another content'],
    ['not at all', [entryOf('two')], 'E_TAR_TRUNCATED', '"app/lib.js" first'],
  ])('is refused when it comes %s after the other app had it', async (_how, entries, code, text) => {
    for (const app of ['one', 'two']) await offerApp(app, [shared]);
    await stageApp('one', [entry, entryOf('one')]);
    await expect(stageApp('two', entries)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    expect(await states()).toEqual({ [instanceOf('one')]: 'staged' });
    expect(await readFile(stored(shared), 'utf8')).toBe('shared');
  });

  it('comes after all where the node found out since the offer that its own is damaged', async () => {
    await offerApp('one', [shared]);
    await stageApp('one', [entry, entryOf('one')]);
    await rm(join(blog.root, 'var/lib/silverlining/releases', instanceOf('one'), 'app/server.js'));
    blog.node.booted = true;
    await restart();
    expect(await offerApp('two', [shared])).toBe(encodeBitmap(2, [1]));
    await appendFile(stored(shared), '!');
    await offerApp('one', [shared]);
    await expect(stageApp('two')).rejects.toMatchObject({ code: 'E_TAR_TRUNCATED' });
    expect(await offerApp('two', [shared])).toBe(encodeBitmap(2, [0]));
  });

  it('goes on where a transfer of a large file was cut, for both', async () => {
    const text = 'x'.repeat(CHUNKED_FROM);
    const large = file('app/data', text);
    await mkdir(store('leftovers'), { recursive: true });
    await writeFile(store(`leftovers/${large.sha256}`), text.slice(0, MAX_CHUNK));
    await restart();
    const sizes = Array<number>(CHUNKED_FROM / MAX_CHUNK).fill(MAX_CHUNK);
    const digests = sha256(text.slice(0, MAX_CHUNK)).slice(0, CHUNK_DIGEST).repeat(sizes.length);
    const lists = { version: 1, files: [{ path: large.path, chunks: { sizes, digests } }] };
    const lack = (app: string) =>
      blog.releases.chunks(
        { instance: instanceOf(app), transfer: 'of the test' },
        context(zstdCompressSync(JSON.stringify(lists))),
      );
    const rest: TarEntry = { path: large.path, content: text.slice(MAX_CHUNK) };
    for (const app of ['one', 'two', 'three']) await offerApp(app, [large]);
    for (const app of ['one', 'two']) expect(await lack(app)).toEqual({ missing: [encodeBitmap(4, [1, 2, 3])] });
    await stageApp('one', [rest, entryOf('one')]);
    await stageApp('two', [rest, entryOf('two')]);
    expect(await lack('three')).toEqual({ missing: [encodeBitmap(4, [0, 1, 2, 3])] });
    await stageApp('three', [{ ...rest, content: text }, entryOf('three')]);
    expect(Object.values(await states())).toEqual(['staged', 'staged', 'staged']);
    expect((await stat(stored(large))).nlink).toBe(4);
  });
});

it('says which install script it runs, for as long as that takes', async () => {
  const said: string[] = [];
  const listening = { ...context(), progress: ({ text }: { text: string }) => void said.push(text) };
  await stage(1);
  blog.node.running.clear();
  const spec = specOf(1, { packageInstallScript: 'setup', afterInstallScript: 'build all' });
  await blog.releases.stage({ instance: name(1), deploy: 'd1', epoch: 0, spec }, listening);
  expect(said.filter((it) => it.includes('script'))).toEqual([
    'running install script setup',
    'running install script build all',
  ]);
});
