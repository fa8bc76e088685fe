/** Files on their way to a node: a transfer that is cut goes on where it was, and of large files little is sent. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { DeployResult, StatusResult, UpResult } from '@silverlining/protocol';
import { exec } from '@silverlining/system';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { LocalProvider, LocalSite } from '../../packages/controller/src/io/provider/index.ts';
import { plainSource } from '../../packages/controller/src/io/provider/local-disk.ts';
import { type NodePaths, nodePaths } from '../../packages/controller/src/io/provider/local-node-record.ts';
import { type TestNode, testNodes } from './support/nodes.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'transfer-e2e';
const MIB = 1 << 20;
const SIZE = 16 * MIB;
/** What has to have arrived when it is cut. */
const ENOUGH = 4 * MIB;

let work: Workspace;
let node: TestNode;
let places: NodePaths;

beforeAll(async () => {
  work = await copyExample('static', SET);
  await work.edit('silver.ini', 'http://pages.test/', 'http://transfer-e2e.test/');
  await slJson<UpResult>(['up', '-f', work.file, '--yes']);
  const directories = findDirectories();
  const [found] = await new LocalProvider(new LocalSite(directories)).list(SET, AbortSignal.timeout(30_000));
  const known = (await testNodes(SET)).get('app1');
  if (found === undefined || known === undefined) throw new Error('the node is not there');
  node = known;
  places = nodePaths(join(directories.state, 'local/nodes'), found.id);
});

afterAll(async () => {
  await sl(['down', '--set', SET, '--yes']);
  await work?.remove();
});

const deploy = (code: number) => slJson<DeployResult>(['deploy', '-f', work.file, '--yes'], { code });
const link = (...args: string[]) => exec(['ip', 'link', 'set', places.hostInterface, ...args], { deadline: 10_000 });
const shape = (...args: string[]) => exec(['tc', 'qdisc', ...args], { deadline: 10_000 });
const slowLink = () =>
  shape(...`replace dev ${places.hostInterface} root tbf rate 16mbit burst 64kb latency 200ms`.split(' '));
const quickLink = () => shape('del', 'dev', places.hostInterface, 'root');

/** Bytes that the agent has of contents that it is receiving. */
async function received(): Promise<number> {
  const incoming = join(plainSource(places, 'var/lib/silverlining'), 'store/incoming');
  const names = await readdir(incoming, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => (await stat(join(incoming, name)).catch(() => null))?.size),
  );
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 90_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`after 90 s: not ${what}`);
    await setTimeout(50);
  }
}

const connected = async () => {
  const { nodes } = await slJson<StatusResult>(['status', '-f', work.file]);
  return nodes.every((it) => it.state === 'healthy');
};

/** A deploy that is cut when a part of it has arrived. */
async function cutDeploy(cut: () => Promise<unknown>): Promise<void> {
  await slowLink();
  const deploying = deploy(1);
  const early = deploying.then(() => Promise.reject(new Error('the deploy ended before it was cut')));
  await Promise.race([early, until('much received', async () => (await received()) > ENOUGH)]);
  early.catch(() => undefined);
  await cut();
  expect((await deploying).deploys).toMatchObject([{ outcome: 'aborted' }]);
}

async function expectLive(instance: string | undefined, content: Buffer): Promise<void> {
  const { stdout } = await node.exec(['sha256sum', `/var/www/${instance}/static/large`]);
  expect(stdout).toContain(createHash('sha256').update(content).digest('hex'));
}

async function expectRest(content: Buffer): Promise<void> {
  await quickLink();
  await until('connected', connected);
  const { deploys } = await deploy(0);
  expect(deploys).toMatchObject([{ outcome: 'done' }]);
  expect(deploys[0]?.bytes.wire).toBeGreaterThan(0);
  expect(deploys[0]?.bytes.wire).toBeLessThan(SIZE - ENOUGH + MIB);
  await expectLive(deploys[0]?.instance, content);
}

const large = () => join(work.dir, 'app/static/large');

it('goes on in the middle of a large file after the link was cut', async () => {
  const content = randomBytes(SIZE);
  await writeFile(large(), content);
  await cutDeploy(() => link('down'));
  await link('up');
  await expectRest(content);
});

it('goes on in the middle of a large file after the agent was killed', async () => {
  const content = randomBytes(SIZE);
  await writeFile(large(), content);
  await cutDeploy(() => node.exec(['systemctl', 'kill', '--signal=SIGKILL', 'silver-agent.service']));
  await expectRest(content);
});

it('compresses nothing for a node on the same machine', async () => {
  const text = Buffer.alloc(MIB, 'All work and no play makes Jack a dull boy.\n');
  await work.write('app/static/manuscript.txt', text.toString());
  const { deploys } = await deploy(0);
  expect(deploys[0]?.bytes.wire).toBeGreaterThan(MIB);
  expect(deploys).toMatchObject([{ outcome: 'done' }]);
});

it('sends of a large file what changed, and what was inserted', async () => {
  const before = await readFile(large());
  const changed = Buffer.concat([before.subarray(0, 5 * MIB), randomBytes(100_000), before.subarray(5 * MIB)]);
  randomBytes(100_000).copy(changed, 11 * MIB);
  await writeFile(large(), changed);
  const { deploys } = await deploy(0);
  expect(deploys[0]?.bytes.wire).toBeLessThan(1.5 * MIB);
  expect(deploys[0]?.bytes.sent).toBeLessThan(1.5 * MIB);
  await expectLive(deploys[0]?.instance, changed);
});
