/** Releases of many files on a real node: images that the kernel mounts, and layers that it lays over them. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployResult, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask } from './support/http.ts';
import { type TestNode, testNodes } from './support/nodes.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'layers-e2e';
const HOST = 'layers.test';
const RELEASES = '/var/lib/silverlining/releases';
const LAYERS = '/var/lib/silverlining/layers';
const POLL = { timeout: 120_000, interval: 500 };

let work: Workspace;
let node: TestNode;
/** Instances, oldest first. */
const names: string[] = [];

beforeAll(async () => {
  work = await copyExample('node', SET);
  await work.edit('silver.ini', 'http://hello.test/', `http://${HOST}/`);
  await work.edit('silver.ini', 'dir = app', 'dir = app\nkeep = 2');
  await mkdir(join(work.dir, 'app/static/gone'), { recursive: true });
  for (let i = 0; i < 400; i++) await work.write(`app/static/${i}.txt`, `file ${i}`);
  await work.write('app/static/gone/x.txt', 'soon gone');
  const { deploys } = await slJson<UpResult>(['up', '-f', work.file, '--yes']);
  names.push(deploys[0]?.instance ?? '');
  node = one(await testNodes(SET));
});

afterAll(async () => {
  await sl(['down', '--set', SET, '--yes']);
  await work.remove();
});

function one(nodes: ReadonlyMap<string, TestNode>): TestNode {
  const [first] = nodes.values();
  if (first === undefined) throw new Error(`${SET} has no node`);
  return first;
}

async function deploy(): Promise<void> {
  const { deploys } = await slJson<DeployResult>(['deploy', '-f', work.file]);
  expect(deploys).toEqual([expect.objectContaining({ outcome: 'done' })]);
  names.push(deploys[0]?.instance ?? '');
}

const page = async (path: string) => (await ask({ address: node.address, host: HOST, path })).body;
const lines = async (...argv: string[]) => (await node.exec(argv)).stdout.split('\n').filter((line) => line !== '');
const list = async (folder: string) => (await lines('ls', folder)).sort();
/** Instances whose files are a mount. */
const mounted = async () =>
  (await lines('findmnt', '-rno', 'TARGET')).filter((it) => it.startsWith(RELEASES)).map((it) => it.split('/').at(-1));
const states = async () => (await slJson<StatusResult>(['status', '-f', work.file])).nodes.map((it) => it.state);

it('is an image of one file when many came together', async () => {
  expect(await mounted()).toEqual([names[0]]);
  expect(await lines('findmnt', '-no', 'FSTYPE', `${RELEASES}/${names[0]}`)).toEqual(['erofs']);
  expect(await lines('find', `${LAYERS}/${names[0]}`, '-type', 'f', '-name', 'data')).toHaveLength(1);
  expect(await lines('find', '/var/lib/silverlining/store', '-type', 'f')).toEqual([]);
  expect([await page('/7.txt'), await page('/gone/x.txt')]).toEqual(['file 7', 'soon gone']);
});

it('lays a release of which little changed over the one before, at the cost of what changed', async () => {
  await work.write('app/static/7.txt', 'changed');
  await rm(join(work.dir, 'app/static/gone'), { recursive: true });
  await deploy();
  expect(await mounted()).toEqual([names[0], names[1]]);
  expect(await lines('find', `${LAYERS}/${names[1]}/tree/app`, '-type', 'f')).toHaveLength(1);
  expect([await page('/7.txt'), await page('/8.txt')]).toEqual(['changed', 'file 8']);
  // What Apache does not find is the app's, which runs from the layer as well.
  expect(await page('/gone/x.txt')).toContain(`Hello from ${names[1]}`);
  const write = (name: string | undefined) => node.exec(['touch', `/var/www/${name}/x`], { allowExit: [1] });
  for (const name of names) expect((await write(name)).stderr).toContain('Read-only file system');
});

it('goes back to the release below, and forward again', async () => {
  const switched = async () => (await slJson<DeployResult>(['rollback', '-f', work.file])).deploys[0]?.instance;
  expect([await switched(), await page('/7.txt'), await page('/gone/x.txt')]).toEqual([
    names[0],
    'file 7',
    'soon gone',
  ]);
  expect([await switched(), await page('/7.txt')]).toEqual([names[1], 'changed']);
});

it('keeps what is below for as long as something lies over it', async () => {
  for (const text of ['second', 'third', 'fourth']) {
    await work.write('app/static/9.txt', text);
    await deploy();
  }
  await expect.poll(() => list('/var/www'), POLL).not.toContain(names[1]);
  const kept = (await list('/var/www')).filter((name) => name.startsWith('hello.'));
  expect(kept).not.toContain(names[0]);
  const all = [names[0], ...kept];
  expect([await list(RELEASES), await list(LAYERS), (await mounted()).sort()]).toEqual([all, all, all]);
  expect([await page('/7.txt'), await page('/8.txt'), await page('/9.txt')]).toEqual(['changed', 'file 8', 'fourth']);
});

it('is mounted again after a boot, before anything is served', async () => {
  const before = await mounted();
  await node.powerOff();
  await node.powerOn();
  await expect.poll(() => page('/9.txt').catch(String), POLL).toBe('fourth');
  await expect.poll(() => page('/').catch(String), POLL).toContain(`Hello from ${names.at(-1)}`);
  expect((await mounted()).sort()).toEqual(before.sort());
  await expect.poll(states, POLL).toEqual(['healthy']);
});

it('is mounted again by an agent that finds the mount gone', async () => {
  await node.exec(['systemctl', 'stop', 'silver-agent']);
  await node.exec(['umount', '--lazy', `${RELEASES}/${names.at(-1)}`]);
  await node.exec(['systemctl', 'start', 'silver-agent']);
  await expect.poll(() => page('/9.txt').catch(String), POLL).toBe('fourth');
});

it('is not served once what is below is lost, and made again by sl up', async () => {
  await node.exec(['systemctl', 'stop', 'silver-agent']);
  for (const name of await mounted()) await node.exec(['umount', '--lazy', `${RELEASES}/${name}`]);
  await node.exec(['rm', `${LAYERS}/${names[0]}/data`]);
  await node.exec(['systemctl', 'start', 'silver-agent']);
  await expect.poll(async () => (await ask({ address: node.address, host: HOST })).status, POLL).toBe(503);
  await expect.poll(states, POLL).toEqual(['degraded']);
  await slJson<UpResult>(['up', '-f', work.file, '--yes']);
  expect([await page('/7.txt'), await page('/9.txt')]).toEqual(['changed', 'fourth']);
  expect([await mounted(), await states()]).toEqual([[names.at(-1)], ['healthy']]);
});

it('is a tree of files on a node that mounts no images, and the files need not come twice', async () => {
  await node.exec(['sh', '-c', 'rm /dev/loop*']);
  for (let i = 0; i < 300; i++) await work.write(`app/static/${i}.txt`, `another ${i}`);
  await deploy();
  expect(await mounted()).not.toContain(names.at(-1));
  expect([await page('/7.txt'), await page('/399.txt')]).toEqual(['another 7', 'file 399']);
  const journal = await lines('journalctl', '--unit=silver-agent', '--output=cat', '--grep=no images');
  expect(journal).toEqual([expect.stringContaining('releases are no images from here on')]);
});
