/** What is left when the machine itself fails half-way, and that it is made good without another start. */
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InstanceSpec, manifestText, SlError } from '@silverlining/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { name, sha256 } from '../../../../test/fakes/blog.ts';
import { idle } from '../../../../test/fakes/manual-clock.ts';
import { FakeNode, fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import type { InstanceJournal } from '../core/release/journal.ts';
import type { Releases, RequestContext } from '../ports.ts';
import type { ReleasePorts } from '../release-ports.ts';
import { createReleases } from './releases.ts';

type Fragile = 'active map' | 'instances map' | 'stop';

let root: string;
let node: FakeNode;
let ports: ReleasePorts;
let releases: Releases;
/** Calls that fail now. */
let broken: Set<Fragile>;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-trouble-'));
  [node, broken] = [new FakeNode(), new Set()];
  ports = await fakeReleasePorts(root, node);
  const { proxy, units } = ports;
  ports.proxy = {
    ...proxy,
    writeActive: guarded('active map', proxy.writeActive),
    writeInstances: guarded('instances map', proxy.writeInstances),
  };
  ports.units = { ...units, stop: guarded('stop', units.stop) };
  releases = createReleases(ports);
  await releases.recover();
});
afterEach(() => rmSync(root, { recursive: true }));

function guarded<A extends unknown[], R>(what: Fragile, act: (...args: A) => Promise<R>) {
  return async (...args: A): Promise<R> => {
    if (broken.has(what)) throw new SlError('E_DISK_FULL', `no space: ${what}`);
    return act(...args);
  };
}

const context: RequestContext = {
  signal: new AbortController().signal,
  progress: () => undefined,
  openTransfer: () => Promise.reject(new SlError('E_NODE_DISCONNECTED', 'nothing is sent')),
};

async function stage(n: number): Promise<unknown> {
  const manifest = { version: 1 as const, app: 'blog', files: [], links: [] };
  const digest = sha256(manifestText(manifest));
  await releases.offer({ instance: name(n), app: 'blog', digest, manifest }, context);
  return again(n);
}

/** The order alone: the manifest was sent before it. */
async function again(n: number): Promise<unknown> {
  const spec: InstanceSpec = {
    ...{ app: 'blog', instance: name(n), platform: 'command', command: ['serve'], processes: 0, env: {}, packages: [] },
    health: { path: '/', host: 'example.com', timeout: 5 },
  };
  return releases.stage({ instance: name(n), deploy: `d${n}`, epoch: releases.epoch(), spec }, context);
}

const switchTo = (epoch: number, n: number) => releases.switch({ epoch, active: { blog: name(n) } }, context);
const settle = (n: number) => releases.settle({ app: 'blog', keep: [name(n)], running: [name(n)] }, context);
const here = async () => (await releases.instances()).map((it) => it.instance);

it('what could not be removed whole is removed by itself', async () => {
  await stage(1);
  await switchTo(1, 1);
  await stage(2);
  broken.add('stop');
  await expect(releases.abort({ instance: name(2), deploy: 'd2' }, context)).rejects.toMatchObject({
    code: 'E_DISK_FULL',
  });
  expect([...node.running]).toEqual([name(1), name(2)]);
  broken.clear();
  await releases.appHealth(context.signal);
  await vi.waitFor(() => expect([...node.units.keys()]).toEqual([name(1)]));
  expect([...node.running]).toEqual([name(1)]);
});

it('what could not be removed of a failed staging goes, also when the order for it came twice', async () => {
  node.crashing = true;
  broken.add('stop');
  await expect(stage(1)).rejects.toMatchObject({ code: 'E_APP_CRASHED' });
  await expect(again(1)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  broken.clear();
  await releases.appHealth(context.signal);
  await vi.waitFor(() => expect([...node.units.keys()]).toEqual([]));
});

it('a staging whose traces could not be removed says what was wrong with it, and can be tried again', async () => {
  node.crashing = true;
  broken.add('instances map');
  await expect(stage(1)).rejects.toMatchObject({ code: 'E_APP_CRASHED' });
  node.crashing = false;
  broken.clear();
  await stage(1);
  await settle(1);
  expect([...node.running]).toEqual([name(1)]);
  expect(await here()).toEqual([name(1)]);
});

it('while the map of what is active could not be written, nothing is healthy and nothing stops', async () => {
  await stage(1);
  await switchTo(1, 1);
  await stage(2);
  broken.add('active map');
  await expect(switchTo(2, 2)).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  const [unhealthy] = await releases.appHealth(context.signal);
  expect(unhealthy).toMatchObject({ instance: name(2), healthy: false, error: expect.stringContaining('active map') });
  await expect(settle(2)).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  expect([...node.running]).toEqual([name(1), name(2)]);
  broken.clear();
  expect((await releases.appHealth(context.signal))[0]).toMatchObject({ instance: name(2), healthy: true });
  await settle(2);
  expect([...node.running]).toEqual([name(2)]);
});

/** The agent is started again. */
async function restart(): Promise<void> {
  releases = createReleases(ports);
  await releases.recover();
}

it('what cannot be swept at a start keeps nothing else from it, and goes with the next settling', async () => {
  await stage(1);
  await switchTo(1, 1);
  await stage(2);
  await ports.journals.delete(name(2));
  node.running.delete(name(1));
  broken.add('stop');
  await restart();
  expect([...node.running].sort()).toEqual([name(1), name(2)]);
  expect(await ports.tree.listing(name(2))).toBeUndefined();
  broken.clear();
  await settle(1);
  expect([...node.running]).toEqual([name(1)]);
  expect([...node.units.keys()]).toEqual([name(1)]);
});

it('what should have been stopped and cannot be at a start is stopped by the next settling', async () => {
  await stage(1);
  await switchTo(1, 1);
  await stage(2);
  await switchTo(2, 2);
  broken.add('stop');
  await expect(releases.settle({ app: 'blog', keep: [name(1)], running: [name(2)] }, context)).rejects.toThrow();
  await restart();
  expect([...node.running]).toEqual([name(1), name(2)]);
  broken.clear();
  await settle(2);
  expect([...node.running]).toEqual([name(2)]);
});

it('an epoch that could not be written is told all the same', async () => {
  await stage(1);
  vi.spyOn(ports.journals, 'writeCommitted').mockRejectedValueOnce(new SlError('E_DISK_FULL', 'no space'));
  await expect(switchTo(3, 1)).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  expect([releases.epoch(), releases.heardEpoch()]).toEqual([0, 3]);
  await switchTo(3, 1);
  expect([releases.epoch(), releases.heardEpoch()]).toEqual([3, undefined]);
});

it('what a boot asks for is done again where the agent was killed meanwhile, and once', async () => {
  await stage(1);
  node.booted = true;
  const never = () => new Promise<boolean>(() => undefined);
  void createReleases({ ...ports, tree: { ...ports.tree, intact: never } }).recover();
  await idle();
  await rm(join(ports.paths.releases, name(1)), { recursive: true });
  await restart();
  expect([(await releases.instances())[0]?.state, node.booted]).toEqual(['failed', false]);
});

it('a release that cannot be looked at after a boot is not served, and keeps nothing from the others', async () => {
  await stage(1);
  await stage(2);
  node.booted = true;
  node.running.clear();
  const { tree } = ports;
  const intact = (instance: string) =>
    instance === name(1) ? Promise.reject(new Error('EIO: i/o error')) : tree.intact(instance);
  ports.tree = { ...tree, intact };
  await restart();
  expect([[...node.running], (await releases.instances()).map((it) => it.state)]).toEqual([
    [name(2)],
    ['failed', 'staged'],
  ]);
});

it('a settling that was cancelled while it waited for its turn touches nothing', async () => {
  await stage(1);
  await switchTo(1, 1);
  const cancelled = new AbortController();
  const staged = stage(2);
  const settled = releases.settle(
    { app: 'blog', keep: [name(1)], running: [name(1)] },
    { ...context, signal: cancelled.signal },
  );
  cancelled.abort(new SlError('E_ABORTED', 'a deploy begins'));
  await expect(settled).rejects.toMatchObject({ code: 'E_ABORTED' });
  await staged;
  expect(await here()).toEqual([name(1), name(2)]);
});

it('what is aborted while the end of its update_fetch is written down does not come back', async () => {
  await stage(1);
  const kept = new Set<string>();
  let goOn: () => void = () => undefined;
  const writing = new Promise<void>((begun) => {
    const put = async ({ instance, hooks }: InstanceJournal) => {
      if (hooks.d1?.state === 'done') {
        await new Promise<void>((resolve) => {
          goOn = resolve;
          begun();
        });
      }
      kept.add(instance);
    };
    ports.journals = { ...ports.journals, put, delete: async (instance) => void kept.delete(instance) };
  });
  const fetches = [{ kind: 'path' as const, path: '/x' }];
  const hook = releases.hook({ instance: name(1), deploy: 'd1', turn: 'primary', timeout: 5, fetches }, context);
  await writing;
  const aborted = releases.abort({ instance: name(1), deploy: 'd1' }, context);
  await idle();
  goOn();
  await Promise.all([hook, aborted]);
  expect([[...kept], await here()]).toEqual([[], []]);
});
