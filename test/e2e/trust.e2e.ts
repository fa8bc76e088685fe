/** Versions that differ by one, agents that are replaced, and a controller that is not the one that a node was set up by. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployResult, Plan, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { RUNTIME_VERSION } from '../../packages/controller/src/io/runtimes.ts';
import { PROTOCOL, VERSION } from '../../packages/protocol/src/version.ts';
import { ask } from './support/http.ts';
import { judge, startLoad } from './support/load.ts';
import { type TestNode, testNodes } from './support/nodes.ts';
import { otherProduct, removeProduct } from './support/product.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'trust-e2e';
const HOST = 'trust.test';
const NODE = `app1.${SET}.internal`;
/** A line of the other versions' unit files, and what the next one's agents run under. */
const SERVICE = 'Environment=SL_UNIT=another';
const OTHER_NODE = {
  version: '24.20.0',
  integrity: 'sha512-tkBwUleGts0UUnK+6HKJkEsOMFb9bkG/YvXw8/alFTaDSUbneVeAFVqu6ELHXuyvVYP4vo1hNAAEfN9zl0Cm3g==',
};
const POLL = { timeout: 60_000, interval: 500 };

let work: Workspace;
let address: string;
let node: TestNode | undefined;
/** The next version, and one whose agent ends as soon as it is started. */
let next: string;
let broken: string;

beforeAll(async () => {
  const { current } = PROTOCOL;
  const protocol = { current: current + 1, oldest: current };
  next = await otherProduct({ version: '99.1.0', protocol, service: SERVICE, runtime: OTHER_NODE });
  const agentBegins = "if (!process.argv.includes('--try')) process.exit(1);";
  broken = await otherProduct({ version: '99.2.0', agentBegins, service: SERVICE });
  work = await copyExample('node', SET);
  await work.edit('silver.ini', 'hello.test', HOST);
  const { sites } = await up();
  address = sites[0]?.address ?? '';
  node = (await testNodes(SET)).get('app1');
});

afterAll(async () => {
  await sl(['down', '-f', work.file, '--yes']);
  await work.remove();
  await Promise.all([next, broken].map(removeProduct));
});

const args = (verb: string) => [verb, '-f', work.file];
const up = (product?: string) => slJson<UpResult>([...args('up'), '--yes'], { product });
const plan = (product?: string) => slJson<Plan>(args('plan'), { product });
const deploy = (product?: string) => slJson<DeployResult>(args('deploy'), { product });
const release = async () => (await ask({ address, host: HOST })).release;

/** State, version of its agent, and what is wrong with the one node, as a controller of this product sees it. */
async function nodeState(product?: string) {
  const [it] = (await slJson<StatusResult>(args('status'), { product })).nodes;
  return { state: it?.state, agent: it?.agent, reasons: it?.reasons };
}
const healthy = (agent: string) => ({ state: 'healthy', agent, reasons: [] });

const SHOW = `pid=$(systemctl show --property=MainPID --value silver-agent.service)
/proc/$pid/exe --version
tr '\\0' '\\n' < /proc/$pid/environ | grep -c '^SL_UNIT=' || true`;

/** What the agent on the node runs under. */
async function runsUnder() {
  const [version = '', others] = ((await node?.exec(['sh', '-c', SHOW]))?.stdout ?? '').split('\n');
  return { runtime: version.replace(/^v/, ''), isByOtherUnit: others === '1' };
}
const OWN = { runtime: RUNTIME_VERSION, isByOtherUnit: false };

async function changeApp(text: string): Promise<void> {
  await work.write('app/changed.txt', text);
}

/** What happens meanwhile fails no request, and the release stays what it is. */
async function whileServing<R>(act: () => Promise<R>): Promise<R> {
  const before = await release();
  const load = startLoad({ address, host: HOST, rate: 50, limit: 240_000 });
  const result = await act();
  const log = await load.stop();
  expect(judge(log, [before])).toMatchObject({ failed: [], stale: [] });
  expect(new Set(log.map((it) => it.release))).toEqual(new Set([before]));
  return result;
}

describe('a controller of the next version', () => {
  it('works with the agents of this one', async () => {
    await expect.poll(() => nodeState(next), POLL).toEqual(healthy(VERSION));
    await changeApp('by the next version');
    expect((await deploy(next)).deploys).toEqual([expect.objectContaining({ outcome: 'done' })]);
  });

  it('plans to replace them, and does with sl up, while the apps serve', async () => {
    const change = `${VERSION} -> 99.1.0, Node ${RUNTIME_VERSION} -> ${OTHER_NODE.version}, unit file`;
    const summary = `update the agent on ${NODE} (${change})`;
    expect(await runsUnder()).toEqual(OWN);
    expect(await plan(next)).toMatchObject({ changes: 1, steps: [{ action: 'update-agent', node: NODE, summary }] });
    expect(await whileServing(() => up(next))).toMatchObject({ changes: 1, deploys: [] });
    await expect.poll(() => nodeState(next), POLL).toEqual(healthy('99.1.0'));
    expect(await runsUnder()).toEqual({ runtime: OTHER_NODE.version, isByOtherUnit: true });
    expect(await up(next)).toMatchObject({ changes: 0 });
  });
});

describe('a controller of this version', () => {
  it('works with the agents of the next one', async () => {
    await expect.poll(() => nodeState(), POLL).toEqual(healthy('99.1.0'));
    await changeApp('by this version, on agents of the next one');
    expect((await deploy()).deploys).toEqual([expect.objectContaining({ outcome: 'done' })]);
  });

  it('brings its own agents back', async () => {
    expect(await whileServing(() => up())).toMatchObject({ changes: 1 });
    await expect.poll(() => nodeState(), POLL).toEqual(healthy(VERSION));
    expect(await runsUnder()).toEqual(OWN);
  });
});

describe('an agent that ends as soon as it is started', () => {
  const GIVEN_BACK = `agent ${VERSION} -> 99.2.0, unit file did not come up on ${NODE}, and the old one is back there`;

  const upByBroken = () => sl([...args('up'), '--yes', '--json'], { product: broken });
  /** And not by the timer, which would have been 75 seconds later. */
  const expectTakenBack = async ({ code, stdout, stderr }: Awaited<ReturnType<typeof sl>>) => {
    expect(stderr).toContain(GIVEN_BACK);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ changes: 0 });
    await expect.poll(() => nodeState(broken), POLL).toEqual(healthy(VERSION));
    expect(await runsUnder()).toEqual(OWN);
    const journal = (await node?.exec(['journalctl', '--boot', '--output=cat']))?.stdout;
    expect(journal).toContain('the update crashed again and again: what was there before is back');
    expect(journal).not.toContain('the update did not come up');
  };

  it('is taken back by the one before it after a few crashes, and sl up says so, while the apps serve', async () => {
    await expectTakenBack(await whileServing(upByBroken));
  });

  it('is not tried again', async () => {
    expect(await plan(broken)).toMatchObject({ changes: 0 });
    const result = await sl([...args('up'), '--yes', '--json'], { product: broken });
    expect(result.stderr).toContain(GIVEN_BACK);
    expect(result.stderr).not.toContain('failed');
    expect(JSON.parse(result.stdout)).toMatchObject({ changes: 0 });
  });

  it('is taken back, too, when its node loses power meanwhile', async () => {
    const record = async () =>
      (await node?.exec(['cat', '/var/lib/silverlining/agent/update.json'], { allowExit: [1] }))?.stdout;
    expect((await sl(['controller', 'stop', '--force'])).code).toBe(0);
    await expect.poll(() => nodeState(broken), POLL).toEqual(healthy(VERSION));
    const result = upByBroken();
    await expect.poll(record, { ...POLL, interval: 50 }).toContain('"crashes":');
    await node?.powerOff();
    await node?.powerOn();
    await expectTakenBack(await result);
  });
});

describe('a controller with another signing key', () => {
  const file = join(findDirectories().state, 'ca/signing.pem');
  let key: string;

  const restartWith = async (act: () => Promise<void>) => {
    expect((await sl(['controller', 'stop', '--force'])).code).toBe(0);
    await act();
  };
  /** Everything of releases on the node. */
  const onNode = async () => {
    const folders = [
      '/var/www',
      '/var/lib/silverlining/releases',
      '/var/lib/silverlining/instances',
      '/etc/systemd/system',
    ];
    const files = (await node?.exec(['ls', '-R', ...folders]))?.stdout;
    const maps = (await node?.exec(['sh', '-c', 'cat /var/lib/silverlining/proxy/*.map']))?.stdout;
    return { files, maps };
  };

  beforeAll(async () => {
    key = await readFile(file, 'utf8');
    await restartWith(() => rm(file));
  });

  it('is refused, with the node and the reason, and nothing changes on it', async () => {
    await changeApp('by a controller with another key');
    const before = await onNode();
    const failed = await whileServing(() => slJson<{ error?: object }>(args('deploy'), { code: 1 }));
    expect(failed.error).toMatchObject({ code: 'E_SIGNATURE', node: NODE });
    expect(await onNode()).toEqual(before);
    const rollback = await slJson<{ error?: object }>(args('rollback'), { code: 1 });
    expect(rollback.error).toMatchObject({ code: 'E_SIGNATURE', node: NODE });
    expect(await onNode()).toEqual(before);
    expect(await nodeState()).toMatchObject({
      state: 'degraded',
      reasons: [expect.stringContaining('takes no orders')],
    });
  });

  it('is obeyed again with the key that the node was given', async () => {
    await restartWith(() => writeFile(file, key, { mode: 0o600 }));
    expect((await deploy()).deploys).toEqual([expect.objectContaining({ outcome: 'done' })]);
  });

  it('gives the node its key over SSH with the next sl up', async () => {
    await restartWith(() => rm(file));
    expect(await plan()).toMatchObject({ changes: 1, steps: [{ action: 'bootstrap', node: NODE }] });
    expect(await whileServing(() => up())).toMatchObject({ changes: 1 });
    await expect.poll(() => nodeState(), POLL).toEqual(healthy(VERSION));
    await changeApp('with the new key');
    expect((await deploy()).deploys).toEqual([expect.objectContaining({ outcome: 'done' })]);
  });
});
