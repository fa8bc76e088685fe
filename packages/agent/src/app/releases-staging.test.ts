import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { diffManifests, type Manifest, manifestText } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { archiveOf } from '../../../../test/builders/tar-archive.ts';
import {
  blog,
  content,
  context,
  expectGone,
  file,
  manifestOf,
  name,
  offer,
  read,
  restart,
  sha256,
  specOf,
  stage,
  states,
  switchTo,
  useBlog,
} from '../../../../test/fakes/blog.ts';
import type { FakeNode } from '../../../../test/fakes/release-ports.ts';

useBlog();

describe('staging', () => {
  it('asks for what is missing, starts beside the old one, and is durable', async () => {
    expect((await offer(1)).missing).toBe(Buffer.from([0b11]).toString('base64'));
    expect(await stage(1)).toMatchObject({ port: 20_000 });
    expect((await offer(2)).missing).toBe(Buffer.from([0b10]).toString('base64'));
    expect(await stage(2)).toMatchObject({ port: 20_001 });
    expect([...blog.node.running]).toEqual([name(1), name(2)]);
    expect(await read('proxy/instances.map')).toBe(`${name(1)} 20000\n${name(2)} 20001\n`);
    expect(await readFile(join(blog.root, 'var/www', name(2), 'server.js'), 'utf8')).toBe(content(2));
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
    expect(blog.node.questions[0]).toMatchObject({
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
    Object.assign(blog.node, change);
    await expect(stage(2)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
      details: { log: ['last words'] },
    });
    await expectGone(2);
    expect(await states()).toEqual({ [name(1)]: 'active' });
    expect([...blog.node.running]).toEqual([name(1)]);
  });

  it('notices soon when it crashes while it is awaited', async () => {
    const begun = blog.node.time;
    blog.node.answer = () => {
      if (blog.node.time - begun > 1_000) blog.node.crashing = true;
      return { status: 503, body: '' };
    };
    await expect(stage(1)).rejects.toMatchObject({ code: 'E_APP_CRASHED' });
    expect(blog.node.time - begun).toBeLessThan(1_700);
  });

  it('does not ask systemd about one that runs and takes its time', async () => {
    const begun = blog.node.time;
    blog.node.answer = () => ({ status: blog.node.time - begun > 4_000 ? 200 : 503, body: '' });
    blog.node.statusQuestions = 0;
    await stage(1);
    expect(blog.node.statusQuestions).toBe(0);
  });

  it('waits no longer than the health timeout', async () => {
    blog.node.answer = () => ({ status: 500, body: '' });
    const begun = blog.node.time;
    await expect(stage(1)).rejects.toMatchObject({ code: 'E_APP_UNHEALTHY' });
    expect(blog.node.time - begun).toBeLessThanOrEqual(5_000);
  });

  it('leaves nothing when the archive is not what the manifest says', async () => {
    await offer(1);
    const order = { instance: name(1), deploy: 'd1', epoch: 0, spec: specOf(1), transfer: 'transfer-of-the-test' };
    const archive = archiveOf([{ path: 'app/server.js', content: 'x'.repeat(content(1).length) }]);
    await expect(blog.releases.stage(order, context(archive))).rejects.toMatchObject({ code: 'E_MANIFEST' });
    await expectGone(1);
  });

  it('wants an offer first, and a runner that is in the release', async () => {
    const order = { instance: name(1), deploy: 'd1', epoch: 0, spec: specOf(1) };
    await expect(blog.releases.stage(order, context())).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
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
    await blog.releases.stage({ ...order, archive: archiveOf(entries).toString('base64') }, context());
    expect(await states()).toEqual({ [name(1)]: 'staged' });
  });

  it('brings a release that is on disk back without a transfer', async () => {
    await stage(1);
    await blog.releases.settle({ app: 'blog', keep: [name(1)], running: [] }, context());
    expect([await states(), blog.node.running.size]).toEqual([{ [name(1)]: 'stopped' }, 0]);
    const order = { instance: name(1), deploy: 'd9', epoch: 0, spec: specOf(1) };
    expect(await blog.releases.stage(order, context())).toMatchObject({
      port: 20_000,
      ms: { received: 0, unpacked: 0 },
    });
    expect(blog.node.running.has(name(1))).toBe(true);
  });
});

describe('offers of what differs', () => {
  const digestOf = (it: Manifest) => sha256(manifestText(it));
  const base = () => ({ instance: name(1), digest: digestOf(manifestOf(1)) });
  const differs = (more: object = {}) => {
    const changes = diffManifests(manifestOf(1), manifestOf(2));
    const order = { instance: name(2), app: 'blog', digest: digestOf(manifestOf(2)), base: base(), changes };
    return blog.releases.offer({ ...order, ...more }, context());
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
    await expect(blog.releases.offer({ ...good, digest: sha256('') }, context())).rejects.toMatchObject({
      code: 'E_MANIFEST',
    });
    await expect(blog.releases.offer({ ...good, app: 'shop' }, context())).rejects.toMatchObject({
      code: 'E_MANIFEST',
    });
    const twice = { ...manifest, files: [...manifest.files, ...manifest.files] };
    const order = { ...good, manifest: twice, digest: sha256(manifestText(twice)) };
    await expect(blog.releases.offer(order, context())).rejects.toMatchObject({ code: 'E_MANIFEST' });
  });

  it('of a name that stands for other files are refused', async () => {
    await stage(1);
    const manifest = manifestOf(2);
    const order = { instance: name(1), app: 'blog', digest: sha256(manifestText(manifest)), manifest };
    await expect(blog.releases.offer(order, context())).rejects.toMatchObject({ code: 'E_CONFLICT' });
  });
});

describe('aborting', () => {
  it('removes what its deploy staged, and nothing else', async () => {
    await stage(1);
    await stage(2);
    await blog.releases.abort({ instance: name(2), deploy: 'd2' }, context());
    await expectGone(2);
    expect(await states()).toEqual({ [name(1)]: 'staged' });
    await blog.releases.abort({ instance: name(7), deploy: 'd7' }, context());
  });

  it('of a rollback stops the old release and keeps it', async () => {
    await stage(1);
    await blog.releases.abort({ instance: name(1), deploy: 'another' }, context());
    expect([await states(), blog.node.running.size]).toEqual([{ [name(1)]: 'stopped' }, 0]);
    expect(existsSync(join(blog.root, 'var/www', name(1), 'server.js'))).toBe(true);
  });

  it('ends a staging that is under way, and waits until it is gone', async () => {
    let asked: () => void = () => undefined;
    const hanging = new Promise<void>((resolve) => {
      asked = resolve;
    });
    let release: () => void = () => undefined;
    blog.node.answer = () =>
      new Promise((resolve) => {
        release = () => resolve({ status: 200, body: '' });
        asked();
      });
    const staging = stage(1);
    const failed = expect(staging).rejects.toMatchObject({ code: 'E_ABORTED' });
    await hanging;
    expect(await states()).toEqual({ [name(1)]: 'staging' });
    const aborting = blog.releases.abort({ instance: name(1), deploy: 'd1' }, context());
    release();
    await Promise.all([failed, aborting]);
    await expectGone(1);
  });

  it('never touches what is active', async () => {
    await stage(1);
    await switchTo(1, 1);
    await expect(blog.releases.abort({ instance: name(1), deploy: 'd1' }, context())).rejects.toMatchObject({
      code: 'E_CONFLICT',
    });
    await blog.releases.abort({ instance: name(1), deploy: 'another' }, context());
    expect(await states()).toEqual({ [name(1)]: 'active' });
  });
});
