/** A node on whose disk nothing can be written any more. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { blog, context, expectGone, name, stage, switchTo, useBlog } from '../../../../test/fakes/blog.ts';
import { fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import type { ReleasePorts } from '../release-ports.ts';
import { createReleases } from './releases.ts';

useBlog();

let ports: ReleasePorts;
let writeInstances: ReleasePorts['proxy']['writeInstances'];

beforeEach(async () => {
  await stage(1);
  await switchTo(1, 1);
  ports = await fakeReleasePorts(blog.root, blog.node);
  blog.releases = createReleases(ports);
  await blog.releases.recover();
  writeInstances = ports.proxy.writeInstances;
  ports.proxy.writeInstances = () => Promise.reject(new SlError('E_DISK_FULL', 'no space'));
});

it('gets no requests for a release that it has not', async () => {
  expect(existsSync(ports.paths.ready)).toBe(true);
  await expect(blog.releases.hear(2, { blog: name(2) })).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  expect(existsSync(ports.paths.ready)).toBe(false);
});

it('reports its health all the same, and what is wrong', async () => {
  expect(await blog.releases.appHealth(context().signal)).toMatchObject([
    { instance: name(1), healthy: false, error: expect.stringContaining('could not be written down: no space') },
  ]);
});

it('takes an aborted release away before it writes down that it is gone, which has room only then', async () => {
  ports.proxy.writeInstances = writeInstances;
  await stage(2);
  ports.proxy.writeInstances = async (instances) => {
    if (existsSync(join(ports.paths.releases, name(2)))) throw new SlError('E_DISK_FULL', 'no space');
    return writeInstances(instances);
  };
  await blog.releases.abort({ instance: name(2), deploy: 'd2' }, context());
  await expectGone(2);
});
