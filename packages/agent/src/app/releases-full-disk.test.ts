/** A node on whose disk nothing can be written any more. */
import { existsSync } from 'node:fs';
import { SlError } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { blog, context, name, stage, switchTo, useBlog } from '../../../../test/fakes/blog.ts';
import { fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import type { ReleasePorts } from '../release-ports.ts';
import { createReleases } from './releases.ts';

useBlog();

let ports: ReleasePorts;

beforeEach(async () => {
  await stage(1);
  await switchTo(1, 1);
  ports = await fakeReleasePorts(blog.root, blog.node);
  blog.releases = createReleases(ports);
  await blog.releases.recover();
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
