/** What an agent could not start when it was started itself. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { SlError } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { blog, context, name, specOf, stage, switchTo, useBlog } from '../../../../test/fakes/blog.ts';
import { fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import { FIRST_PORT } from '../core/release/choices.ts';
import type { ReleasePorts } from '../release-ports.ts';
import { createReleases } from './releases.ts';

useBlog();

/** Starts the agent on a node where nothing runs, nor can be started until `repair` is called. */
async function restartBroken(): Promise<{ repair(): void; isReady(): boolean; ports: ReleasePorts }> {
  let isBroken = true;
  blog.node.running.clear();
  const ports = await fakeReleasePorts(blog.root, blog.node);
  const { start } = ports.units;
  ports.units.start = async (...args) => {
    if (isBroken) throw new SlError('E_DISK_FULL', 'no space');
    return start(...args);
  };
  blog.releases = createReleases(ports);
  await blog.releases.recover();
  const repair = () => {
    isBroken = false;
  };
  return { repair, isReady: () => existsSync(ports.paths.ready), ports };
}

const report = () => blog.releases.appHealth(context().signal);

it('a node whose app cannot be started gets no requests until it is', async () => {
  await stage(1);
  await switchTo(1, 1);
  const { repair, isReady } = await restartBroken();
  expect(isReady()).toBe(false);
  await report();
  expect(isReady()).toBe(false);
  repair();
  await report();
  expect([...blog.node.running]).toEqual([name(1)]);
  expect(isReady()).toBe(true);
});

it('what is live is tried again also when it was to be gone back to, and could not be started for that', async () => {
  await stage(1);
  await switchTo(1, 1);
  const { repair } = await restartBroken();
  const order = { instance: name(1), deploy: 'd2', epoch: 1, spec: specOf(1) };
  await expect(blog.releases.stage(order, context())).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  repair();
  await report();
  expect([...blog.node.running]).toEqual([name(1)]);
});

it('what is switched to is started first', async () => {
  await stage(1);
  const { repair } = await restartBroken();
  repair();
  await switchTo(1, 1);
  expect([...blog.node.running]).toEqual([name(1)]);
});

it('what is being staged anew is not started before it has what it is to get', async () => {
  await stage(1);
  await switchTo(1, 1);
  const { repair, ports } = await restartBroken();
  repair();
  const seen: string[][] = [];
  ports.installPackages = async () => {
    await report();
    seen.push([...blog.node.running]);
  };
  const order = { instance: name(1), deploy: 'd2', epoch: 1, spec: specOf(1, { packages: ['curl'] }) };
  await blog.releases.stage(order, context());
  expect([...seen, [...blog.node.running]]).toEqual([[], [name(1)]]);
});

it('what is live and down moves to another port as a whole where somebody else has its own, also when it is not up in time', async () => {
  await stage(1);
  await switchTo(1, 1);
  const { repair, ports } = await restartBroken();
  ports.http.isFree = async (port) => port !== FIRST_PORT;
  const order = { instance: name(1), deploy: 'd2', epoch: 1, spec: specOf(1) };
  await expect(blog.releases.stage(order, context())).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  repair();
  await report();
  const moved = String(FIRST_PORT + 1);
  expect(await ports.places.readEnv(`${ports.paths.env}/${name(1)}.env`)).toMatchObject({ PORT: moved });
  expect(blog.node.questions.at(-1)?.port).toBe(FIRST_PORT + 1);
  expect(await readFile(ports.paths.instancesMap, 'utf8')).toContain(moved);
});

it('an agent that is killed while it moves to another port knows which one', async () => {
  await stage(1);
  await switchTo(1, 1);
  const { ports } = await restartBroken();
  ports.http.isFree = async (port) => port !== FIRST_PORT;
  const order = { instance: name(1), deploy: 'd2', epoch: 1, spec: specOf(1) };
  await new Promise<void>((killed) => {
    ports.units.start = () => {
      killed();
      return new Promise(() => undefined);
    };
    void blog.releases.stage(order, context());
  });
  blog.releases = createReleases(await fakeReleasePorts(blog.root, blog.node));
  await blog.releases.recover();
  const { PORT } = (await ports.places.readEnv(`${ports.paths.env}/${name(1)}.env`)) ?? {};
  expect(PORT).toBe(String(FIRST_PORT + 1));
  expect(await readFile(ports.paths.instancesMap, 'utf8')).toContain(`${name(1)} ${PORT}`);
});
