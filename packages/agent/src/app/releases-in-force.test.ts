/** Nodes that could not follow to a commit, or were brought back from it, and do so by themselves. */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { context, name } from '../../../../test/fakes/blog.ts';
import { FakeNode, fakeReleasePorts } from '../../../../test/fakes/release-ports.ts';
import type { Releases } from '../ports.ts';
import type { ReleasePorts } from '../release-ports.ts';
import { createReleases } from './releases.ts';

let root: string;
let node: FakeNode;
let ports: ReleasePorts;
let releases: Releases;
let isFull: boolean;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-in-force-'));
  [node, isFull] = [new FakeNode(), false];
  ports = await fakeReleasePorts(root, node);
  const { writeCommitted } = ports.journals;
  ports.journals.writeCommitted = async (it) => {
    if (isFull) throw new SlError('E_DISK_FULL', 'no space');
    return writeCommitted(it);
  };
  releases = createReleases(ports);
  await releases.recover();
});
afterEach(() => rmSync(root, { recursive: true }));

const switchTo = (epoch: number, n: number) => releases.switch({ epoch, active: { blog: name(n) } }, context());
const report = () => releases.appHealth(context().signal);

it('a node whose disk was full at the switch follows when there is room again', async () => {
  await switchTo(1, 1);
  isFull = true;
  await expect(switchTo(2, 2)).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  await report();
  expect(releases.epoch()).toBe(1);
  isFull = false;
  await report();
  expect([releases.epoch(), releases.heardEpoch()]).toEqual([2, undefined]);
  expect(await readFile(ports.paths.activeMap, 'utf8')).toBe(`blog ${name(2)}\n`);
});

it('a node refuses what is older than what it heard of, or another map at that epoch, also where it could not follow', async () => {
  isFull = true;
  await expect(switchTo(3, 3)).rejects.toMatchObject({ code: 'E_DISK_FULL' });
  isFull = false;
  const newest = { newest: 3 };
  await expect(switchTo(2, 2)).rejects.toMatchObject({ code: 'E_STALE_EPOCH', details: newest });
  await expect(switchTo(3, 2)).rejects.toMatchObject({ code: 'E_CONFLICT' });
  expect([releases.epoch(), releases.heardEpoch()]).toEqual([0, 3]);
  await switchTo(3, 3);
  expect(releases.active()).toEqual({ blog: name(3) });
});

it('a balancer whose HAProxy was brought to load an older map is switched again', async () => {
  node.roles = ['balancer'];
  await switchTo(1, 1);
  await switchTo(2, 2);
  node.balancerMap = { blog: name(1) };
  await report();
  expect(node.balancerMap).toEqual({ blog: name(2) });
});

it('a HAProxy that outlives the role of its node goes along until it is stopped', async () => {
  node.roles = ['appserver', 'balancer'];
  await switchTo(1, 1);
  node.roles = ['appserver'];
  await switchTo(2, 2);
  expect(node.balancerMap).toEqual({ blog: name(2) });
  node.balancerMap = { blog: name(1) };
  await report();
  expect(node.balancerMap).toEqual({ blog: name(2) });
  node.balancerMap = undefined;
  await switchTo(3, 3);
  expect(node.balancerMap).toBeUndefined();
});

it('a balancer that does not know any more what is committed goes by the map that it has until it is told', async () => {
  node.roles = ['balancer'];
  await switchTo(1, 1);
  await writeFile(ports.paths.committed, '');
  releases = createReleases(await fakeReleasePorts(root, node));
  await releases.recover();
  await report();
  expect(node.balancerMap).toEqual({ blog: name(1) });
  expect(await readFile(ports.paths.activeMap, 'utf8')).toBe(`blog ${name(1)}\n`);
  await switchTo(2, 2);
  expect(node.balancerMap).toEqual({ blog: name(2) });
});

it('a journal that cannot be read takes nothing from the rest of the node', async () => {
  await switchTo(1, 1);
  // What a disk that fails says is not to be had here; as little can be read from a folder.
  await mkdir(join(ports.paths.instances, `${name(7)}.json`));
  releases = createReleases(await fakeReleasePorts(root, node));
  await releases.recover();
  expect([releases.epoch(), node.warnings]).toEqual([1, [expect.stringMatching('damaged and not used: .*EISDIR')]]);
});

it.each(['appserver', 'balancer'] as const)('a report of a retired %s puts nothing in force again', async (role) => {
  node.roles = [role];
  await switchTo(1, 1);
  const reported = report();
  await releases.removeAll();
  await reported;
  node.balancerMap = {};
  await report();
  expect(await ports.journals.committed()).toBeUndefined();
  expect(node.balancerMap).toEqual({});
});
