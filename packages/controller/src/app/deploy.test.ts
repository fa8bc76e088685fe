import type { ServerSet, WantedNode } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { deploy } from './deploy.ts';
import { status } from './status.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const APP2: WantedNode = { name: 'app2', roles: ['appserver'] };
const NEWS = { host: 'example.com', path: '/news/', app: 'blog' };

let small: SmallSet;
beforeEach(async () => {
  small = new SmallSet();
  await small.add(APP1);
  await small.up([APP1]);
});

async function warningsOf(set: ServerSet): Promise<(string | undefined)[]> {
  const warnings: (string | undefined)[] = [];
  const op = operation(({ status: is, text }) => is === 'warning' && warnings.push(text));
  await small.passing(deploy(small.deps, op, { set, apps: [] }));
  return warnings;
}

it('a deploy has nothing to say of a file that is in force', async () => {
  small.version++;
  expect(await warningsOf(setOf([APP1]))).toEqual([]);
});

it.each([
  ['locations', { ...setOf([APP1]), locations: [...setOf([]).locations, NEWS] }],
  ['nodes', setOf([APP1, APP2])],
])('a deploy says that it leaves other %s of the file as they are', async (_what, set) => {
  expect(await warningsOf(set)).toEqual([expect.stringContaining('sl up makes it so')]);
});

it('a deploy says where the set was made from another file, once', async () => {
  const other = { ...setOf([APP1]), file: '/srv/other/silver.ini' };
  expect(await warningsOf(other)).toEqual([expect.stringContaining(`brought up from ${setOf([]).file} before`)]);
  expect(await warningsOf(other)).toEqual([]);
});

it('locations that the file has, and that are not in force yet, are not shown as where an app is', async () => {
  const before = (await status(small.deps, SET)).apps;
  await small.passing(deploy(small.deps, operation(), { set: { ...setOf([APP1]), locations: [NEWS] }, apps: [] }));
  expect((await status(small.deps, SET)).apps[0]?.locations).toEqual(before[0]?.locations);
});
