/** Switches under load, through two balancers that one visitor uses in turn, and releases that turn out bad after theirs. */

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployResult, DeploysResult, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './support/http.ts';
import { judge, startLoad } from './support/load.ts';
import { testNodes } from './support/nodes.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'switching-e2e';
const HOST = 'switching.test';
/** Deploys and rollbacks in turn, twenty of them. */
const ROUNDS = 10;
const CRASHES = 'setTimeout(() => process.exit(1), 5000);\nserver.listen(';

let work: Workspace;
let addresses: string[];

const up = () => slJson<UpResult>(['up', '-f', work.file, '--yes']);
const deploy = () => slJson<DeployResult>(['deploy', '-f', work.file]);
const rollback = () => slJson<DeployResult>(['rollback', '-f', work.file]);
const show = async (id: string) => (await slJson<DeploysResult>(['deploys', 'show', id, '-f', work.file])).deploys;
const release = async () => (await ask({ address: addresses[0] ?? '', host: HOST })).release;

beforeAll(async () => {
  work = await copyExample('node', SET);
  await work.edit('silver.ini', 'hello.test', HOST);
  await work.edit('silver.ini', /(locations =\n.*\n)/, '$1nodes = 2\n\n[balancer]\nnodes = 2\n');
  await up();
  const nodes = await testNodes(SET);
  addresses = [...nodes].filter(([name]) => name.startsWith('balancer')).map(([, node]) => node.address);
});

afterAll(async () => {
  await sl(['down', '-f', work.file, '--yes']);
  await work.remove();
});

describe('twenty deploys and rollbacks in a row', () => {
  it('fail no request and mix no releases, by the records and by the log of who asked', async () => {
    expect(addresses).toHaveLength(2);
    const order = [await release()];
    const records = [];
    const load = startLoad({ address: addresses, host: HOST, rate: 200, limit: 400_000 });
    for (let round = 1; round <= ROUNDS; round++) {
      await work.write('app/version.txt', `${round}\n`);
      for (const change of [deploy, rollback]) records.push(...(await change()).deploys);
    }
    const log = await load.stop();
    order.push(...records.map((it) => it.instance));
    for (const record of records) {
      expect(record).toMatchObject({ outcome: 'done', requests: { failed: 0, stale: 0 } });
      expect(record.timeline?.filter((it) => it.event === 'switched')).toHaveLength(4);
    }
    expect(judge(log, order)).toMatchObject({ failed: [], stale: [] });
    expect(await release()).toBe(order.at(-1));
  });
});

describe('a page that was loaded before a switch', () => {
  const file = async (name: string) => {
    const answers = await Promise.all(addresses.map((address) => ask({ address, host: HOST, path: `/${name}` })));
    return answers.map(({ status, body, release: from }) => ({ status, body, from }));
  };

  it('still gets the files that its names mean, of releases that are kept, and no others', async () => {
    await mkdir(join(work.dir, 'app/static'));
    const ours = ['main-3f2a9c1b.js', 'plain.js'];
    for (const name of ours) await work.write(`app/static/${name}`, 'old');
    await deploy();
    for (const name of ours) expect(await file(name)).toMatchObject([{ body: 'old' }, { body: 'old' }]);
    for (const name of ours) await rm(join(work.dir, 'app/static', name));
    await work.write('app/static/main-77aa9c1b.js', 'new');
    const [{ instance: from } = { instance: '' }] = (await deploy()).deploys;
    expect(await file('main-77aa9c1b.js')).toEqual(Array(2).fill({ status: 200, body: 'new', from }));
    expect(await file('main-3f2a9c1b.js')).toEqual(Array(2).fill({ status: 200, body: 'old', from }));
    expect(await file('plain.js')).toEqual(Array(2).fill({ status: 200, body: expect.stringMatching(/^Hello/), from }));
    await rollback();
    expect(await file('main-77aa9c1b.js')).toMatchObject([{ body: 'new' }, { body: 'new' }]);
  });
});

describe('a release that crashes again and again after its switch', () => {
  it('is rolled back everywhere by itself, and the command that waited for it fails with the cause', async () => {
    const before = await release();
    await work.edit('app/server.js', 'server.listen(', `console.log('out of cheese');\n${CRASHES}`);
    const failed = await slJson<DeployResult & { error: { code: string; details: { log: string[] } } }>(
      ['deploy', '-f', work.file, '--watch'],
      { code: 1 },
    );
    expect(failed.error.code).toBe('E_APP_CRASHED');
    expect(failed.error.details.log).toContain('out of cheese');
    const [bad] = failed.deploys;
    expect(bad).toMatchObject({ outcome: 'rolled-back', previous: before });
    for (const address of addresses)
      expect(await ask({ address, host: HOST })).toMatchObject({ status: 200, release: before });
    const [record] = await show(bad?.id.split('.')[0] ?? '');
    const events = record?.timeline?.map((it) => it.event);
    expect(events).toEqual(
      expect.arrayContaining(['staged', 'committed', 'switched', 'committed back', 'switched back']),
    );
    const { apps } = await slJson<StatusResult>(['status', '-f', work.file]);
    expect(apps[0]).toMatchObject({ active: before, notices: [expect.stringContaining('was rolled back')] });
  });

  it('is rolled back also when the command and its controller are gone', async () => {
    const before = await release();
    const { deploys } = await deploy();
    expect(deploys[0]).toMatchObject({ outcome: 'done', watching: true });
    await sl(['controller', 'stop', '--force']);
    const outcome = async () => (await show(deploys[0]?.id ?? ''))[0]?.outcome;
    await expect.poll(outcome, POLL).toBe('rolled-back');
    expect(await release()).toBe(before);
    const next = await sl(['deploy', '-f', work.file]);
    expect(next.stderr).toContain('was rolled back: after the switch');
  });
});

const POLL = { timeout: 90_000, interval: 1000 };
