import { existsSync } from 'node:fs';
import { appendFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type RequestBody, SlError } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import {
  blog,
  content,
  context,
  expectGone,
  name,
  read,
  restart,
  sha256,
  stage,
  states,
  switchTo,
  useBlog,
} from '../../../../test/fakes/blog.ts';

useBlog();

describe('switching', () => {
  it('is durable, and lets the node have requests once it has all that is active', async () => {
    expect(await switchTo(3, 1)).toEqual({ epoch: 3, at: blog.node.time });
    expect(existsSync(join(blog.root, 'var/lib/silverlining/proxy/ready'))).toBe(false);
    await stage(1);
    expect(existsSync(join(blog.root, 'var/lib/silverlining/proxy/ready'))).toBe(true);
    expect(await read('proxy/active.map')).toBe(`blog ${name(1)}\n`);
    await switchTo(3, 1);
    expect([...blog.node.enabled]).toEqual([name(1)]);
    await restart();
    expect([blog.releases.epoch(), blog.releases.active()]).toEqual([3, { blog: name(1) }]);
  });

  it('refuses an older epoch, and another map under the same one', async () => {
    await switchTo(3, 1);
    await expect(switchTo(2, 2)).rejects.toMatchObject({ code: 'E_STALE_EPOCH', details: { newest: 3 } });
    await expect(switchTo(3, 2)).rejects.toMatchObject({ code: 'E_CONFLICT' });
    await expect(stage(1, { epoch: 2 })).rejects.toMatchObject({ code: 'E_STALE_EPOCH' });
    expect(blog.releases.active()).toEqual({ blog: name(1) });
  });

  it('changes the balancer, and counts what an old release gets after it', async () => {
    blog.node.roles = ['balancer'];
    blog.node.table = { [name(1)]: { requests: 10, failed: 0, mismatched: 0 } };
    await switchTo(1, 2);
    expect(blog.node.balancerMap).toEqual({ blog: name(2) });
    expect((await blog.releases.traffic({ since: 0 }, context())).stale).toBe(0);
    blog.node.table = {
      [name(1)]: { requests: 11, failed: 0, mismatched: 0 },
      [name(2)]: { requests: 4, failed: 1, mismatched: 0 },
    };
    await restart();
    // The same order again must not move the baseline.
    await switchTo(1, 2);
    expect(await blog.releases.traffic({ since: 0 }, context())).toEqual({
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
    blog.node.answer = ({ path }) =>
      path === '/blog/bad' ? { status: 500, body: 'no table' } : { status: 302, body: '' };
    const paths = ['/good', '/bad', '/never'].map((path) => ({ kind: 'path' as const, path }));
    const { results } = await blog.releases.hook(order(paths), context());
    expect(results.map(({ fetch, ok, detail }) => [fetch, ok, detail])).toEqual([
      ['/good', true, '302'],
      ['/bad', false, 'it answered 500: no table'],
    ]);
    expect(blog.node.questions.at(-1)?.headers).toMatchObject({ 'X-Silver-Update': 'primary', Host: 'example.com' });
  });

  it('runs once for a deploy, even when the agent is started again', async () => {
    await stage(1);
    const hook = order([{ kind: 'script', argv: ['migrate', '--all'] }]);
    const [one, two] = await Promise.all([blog.releases.hook(hook, context()), blog.releases.hook(hook, context())]);
    await restart();
    expect([two, await blog.releases.hook(hook, context())]).toEqual([one, one]);
    expect(blog.node.scripts).toEqual([['migrate', '--all']]);
  });

  it('says that it may have run when the agent died meanwhile', async () => {
    await stage(1);
    blog.node.answer = () => new Promise(() => undefined);
    void blog.releases.hook(order([{ kind: 'path', path: '/x' }]), context());
    await expect.poll(() => read(`instances/${name(1)}.json`)).toContain('"started"');
    await restart();
    const { results } = await blog.releases.hook(order([{ kind: 'path', path: '/x' }]), context());
    expect(results).toMatchObject([{ ok: false, detail: expect.stringContaining('may have run') }]);
  });

  it('says that it may have run when the app does not answer in time', async () => {
    await stage(1);
    blog.node.answer = () => Promise.reject(new SlError('E_DEADLINE', 'no answer within 5 s'));
    const { results } = await blog.releases.hook(order([{ kind: 'path', path: '/x' }]), context());
    expect(results).toMatchObject([{ ok: false, detail: 'no answer within 5 s; it may have run' }]);
  });

  it('names a script that is nowhere', async () => {
    await stage(1);
    const { results } = await blog.releases.hook(order([{ kind: 'script', argv: ['missing'] }]), context());
    expect(results).toMatchObject([
      { fetch: 'script:missing', ok: false, detail: expect.stringContaining('no such program') },
    ]);
  });
});

describe('settling', () => {
  it('stops what drained, removes what is not kept, and the contents that only it had', async () => {
    for (const n of [1, 2, 3]) await stage(n);
    await switchTo(1, 3);
    const reply = await blog.releases.settle({ app: 'blog', keep: [name(2)], running: [] }, context());
    expect(reply).toEqual({ stopped: [name(2)], removed: [name(1)] });
    await expectGone(1);
    expect(await states()).toEqual({ [name(2)]: 'stopped', [name(3)]: 'active' });
    const blob = (text: string) => join(blog.root, 'var/lib/silverlining/store', text.slice(0, 2), text.slice(2));
    expect([1, 2].map((n) => existsSync(blob(sha256(content(n)))))).toEqual([false, true]);
    expect(existsSync(blob(sha256('shared')))).toBe(true);
  });
});

describe('starting again', () => {
  it('removes what was never voted for', async () => {
    await stage(1);
    await stage(2);
    await rm(join(blog.root, 'var/lib/silverlining/instances', `${name(2)}.json`));
    await restart();
    await expectGone(2);
    expect(await states()).toEqual({ [name(1)]: 'staged' });
  });

  it('starts what was prepared after a boot, and does not serve what is damaged', async () => {
    await stage(1);
    await stage(2);
    await switchTo(1, 1);
    blog.node.booted = true;
    blog.node.running.clear();
    await rm(join(blog.root, 'var/lib/silverlining/releases', name(2), 'app/server.js'));
    await restart();
    expect([...blog.node.running]).toEqual([name(1)]);
    expect(await states()).toEqual({ [name(1)]: 'active', [name(2)]: 'failed' });
    expect(existsSync(join(blog.root, 'var/lib/silverlining/proxy/ready'))).toBe(true);
  });

  it('gets anew what was changed in place, for what is damaged and for whatever else has it', async () => {
    await stage(1);
    await switchTo(1, 1);
    blog.node.booted = true;
    const inRelease = (n: number) => join(blog.root, 'var/lib/silverlining/releases', name(n), 'app/lib.js');
    await appendFile(inRelease(1), '!');
    await restart();
    expect(await states()).toEqual({ [name(1)]: 'failed' });
    await stage(2);
    await stage(1);
    expect(await Promise.all([1, 2].map((n) => readFile(inRelease(n), 'utf8')))).toEqual(['shared', 'shared']);
  });

  it('reports the health of what is active', async () => {
    await stage(1);
    await switchTo(1, 1);
    const signal = new AbortController().signal;
    expect(await blog.releases.appHealth(signal)).toEqual([
      { app: 'blog', instance: name(1), healthy: true, status: 200, restarts: 0 },
    ]);
    const answer = { app: 'blog', instance: name(1), run: `run of ${name(1)}` };
    expect(await blog.releases.appAnswers(signal)).toEqual([{ ...answer, healthy: true, status: 200 }]);
    blog.node.answer = () => ({ status: 503, body: '' });
    expect(await blog.releases.appAnswers(signal, 5)).toEqual([
      { ...answer, healthy: false, status: 503, log: ['last words'] },
    ]);
  });
});

it('can be taken off the node without a trace', async () => {
  await stage(1);
  await switchTo(1, 1);
  await blog.releases.removeAll();
  await expectGone(1);
  expect([blog.releases.epoch(), blog.releases.active()]).toEqual([0, {}]);
  expect(existsSync(join(blog.root, 'var/lib/silverlining/store'))).toBe(false);
});

it('a node that is no app server any more keeps what visitors were sent to until it is settled', async () => {
  await stage(1);
  await switchTo(1, 1);
  const nothing = { app: 'blog', keep: [], running: [] };
  await blog.releases.settle(nothing, context());
  expect([...blog.node.running]).toEqual([name(1)]);
  blog.node.roles = ['balancer'];
  await blog.releases.settle(nothing, context());
  await expectGone(1);
});
