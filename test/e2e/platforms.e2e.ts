/** Several apps of every platform on one app server without a balancer: how they run, and what reaches them. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployResult, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeAgentsPort } from './agents-port.ts';
import { describeRouting, HOST } from './platforms-routing.ts';
import { describeSurroundings, type Surroundings } from './platforms-surroundings.ts';
import { type Answer, type AskOptions, ask } from './support/http.ts';
import { judge, startLoad } from './support/load.ts';
import { type TestNode, testNodes } from './support/nodes.ts';
import { ROOT, sl, slJson } from './support/sl.ts';
import { copyFixture, type Workspace } from './support/workspace.ts';

const SET = 'platforms-e2e';

let work: Workspace;
let node: TestNode;
let first: UpResult;

const get = (host: string, path: string, more: Partial<AskOptions> = {}): Promise<Answer> =>
  ask({ address: node.address, host, path, ...more });
const up = () => slJson<UpResult>(['up', '-f', work.file, '--yes']);
const deploy = (...apps: string[]) => slJson<DeployResult>(['deploy', '-f', work.file, ...apps]);
const status = () => slJson<StatusResult>(['status', '-f', work.file]);
const instanceOf = (app: string) => first.deploys.find((it) => it.app === app)?.instance ?? '';

beforeAll(async () => {
  work = await copyFixture('platforms');
  await cp(join(ROOT, 'examples/node/app'), join(work.dir, 'hello'), { recursive: true });
  await cp(join(ROOT, 'examples/static/app'), join(work.dir, 'pages'), { recursive: true });
  first = await up();
  const found = (await testNodes(SET)).get('app1');
  if (found === undefined) throw new Error('there is no app1');
  node = found;
});

afterAll(async () => {
  await sl(['down', '--set', SET, '--yes']);
  await work?.remove();
});

describe('a set without a balancer', () => {
  it('has its apps up, each in its own release', async () => {
    expect(first.deploys.map((it) => [it.app, it.outcome])).toEqual([
      ['hello', 'done'],
      ['wsgi', 'done'],
      ['listing', 'done'],
      ['pages', 'done'],
    ]);
    const { nodes, apps } = await status();
    expect(nodes.map((it) => [it.state, it.reasons])).toEqual([['healthy', []]]);
    expect(apps.map((it) => it.active)).toEqual(first.deploys.map((it) => it.instance));
  });

  it('has nothing to do the second time', async () => {
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
    expect((await deploy()).deploys.map((it) => it.outcome)).toEqual(Array(4).fill('unchanged'));
  });
});

describe('platforms', () => {
  it('node: runs on the runtime that the agent brought', async () => {
    const { status: code, body } = await get(HOST, '/some/where?x=1');
    expect(code).toBe(200);
    expect(body).toBe(`Hello from ${instanceOf('hello')} on app1.${SET}.internal: GET /some/where?x=1\n`);
  });

  it('static: files, folders and nothing else', async () => {
    const page = await get('pages.test', '/');
    expect(page).toMatchObject({ status: 200, release: instanceOf('pages') });
    expect(page.body).toContain('Nothing but files');
    expect(await get('pages.test', '/nothing')).toMatchObject({ status: 404, release: instanceOf('pages') });
    expect(await get('pages.test', '/../app.ini')).not.toMatchObject({ status: 200 });
    expect(await get('pages.test', '/%2e%2e/app.ini')).not.toMatchObject({ status: 200 });
  });

  it('command: its words are arguments, and only $PORT is filled in', async () => {
    const { body } = await get('any.platforms.test', '/a%2Fb');
    expect(body).toBe("/a%2Fb ['two words']");
  });

  it('python: WSGI at a sub path', async () => {
    const told = JSON.parse((await get(HOST, '/wsgi/some/path?q=1')).body);
    expect(told).toMatchObject({
      SCRIPT_NAME: '/wsgi',
      PATH_INFO: '/some/path',
      QUERY_STRING: 'q=1',
      'silverlining.update': null,
      headers: { HTTP_HOST: HOST, HTTP_X_SILVER_PATH: '/wsgi/', HTTP_X_FORWARDED_PROTO: 'http' },
    });
    const atRoot = JSON.parse((await get('exact.any.platforms.test', '/x')).body);
    expect(atRoot).toMatchObject({ SCRIPT_NAME: '', PATH_INFO: '/x', headers: { HTTP_X_SILVER_PATH: '/' } });
  });
});

const surroundings = async (): Promise<Surroundings> => JSON.parse((await get(HOST, '/wsgi/surroundings')).body);
describeSurroundings({ node: () => node, instanceOf, surroundings });
describeRouting(get, instanceOf);

describe('deploying one app of several', () => {
  it('switches under load without a failed or stale answer, and leaves the others alone', async () => {
    const before = instanceOf('hello');
    await work.edit('hello/server.js', 'Hello from', 'Good day from');
    await work.edit('wsgi/main.py', 'Tells what', 'Says what');
    const load = startLoad({ address: node.address, host: HOST, rate: 100, limit: 60_000 });
    const { deploys } = await deploy('hello');
    const log = await load.stop();
    expect(deploys).toEqual([expect.objectContaining({ app: 'hello', outcome: 'done', previous: before })]);
    expect(deploys[0]?.files.sent).toBe(1);
    expect(judge(log, [before, deploys[0]?.instance ?? ''])).toMatchObject({ failed: [], stale: [] });
    expect(log.some((it) => it.release === before)).toBe(true);
    expect((await get(HOST, '/')).release).toBe(deploys[0]?.instance);
    expect((await get(HOST, '/wsgi/')).release).toBe(instanceOf('wsgi'));
  });

  it('tells which are unchanged when all are asked for', async () => {
    const { deploys } = await deploy();
    expect(new Map(deploys.map((it) => [it.app, it.outcome]))).toEqual(
      new Map([
        ['hello', 'unchanged'],
        ['listing', 'unchanged'],
        ['pages', 'unchanged'],
        ['wsgi', 'done'],
      ]),
    );
  });
});

describe('configuration is part of the release', () => {
  it('comes with a deploy, with an emptied TEMP, and goes back with a rollback', async () => {
    expect((await surroundings()).temp.writable).toBe(true);
    expect((await surroundings()).temp.before).toEqual(['left']);
    await work.edit('silver.ini', 'config = config/blue', 'config = config/green');
    const { deploys } = await deploy('wsgi');
    expect(deploys).toEqual([expect.objectContaining({ app: 'wsgi', outcome: 'done' })]);
    expect(await surroundings()).toMatchObject({ colour: 'green', temp: { before: [] } });

    const back = await slJson<DeployResult>(['rollback', 'wsgi', '-f', work.file]);
    expect(back.deploys).toEqual([expect.objectContaining({ outcome: 'done', instance: deploys[0]?.previous })]);
    expect((await surroundings()).colour).toBe('blue');
    await slJson<DeployResult>(['rollback', 'wsgi', '--to', deploys[0]?.instance ?? '', '-f', work.file]);
    expect((await surroundings()).colour).toBe('green');
  });
});

describe('a rollback that names no app', () => {
  it('takes back all that the last deploy switched, as one', async () => {
    const releases = () => Promise.all(['/', '/wsgi/'].map(async (path) => (await get(HOST, path)).release));
    const before = await releases();
    await work.edit('hello/server.js', 'Good day from', 'Good night from');
    await work.edit('wsgi/main.py', 'Says what', 'Shows what');
    expect((await deploy()).deploys.filter((it) => it.outcome === 'done')).toHaveLength(2);
    const { deploys } = await slJson<DeployResult>(['rollback', '-f', work.file]);
    expect(deploys.map((it) => [it.app, it.outcome])).toEqual([
      ['hello', 'done'],
      ['wsgi', 'done'],
    ]);
    expect(new Set(deploys.map((it) => it.epoch)).size).toBe(1);
    expect(await releases()).toEqual(before);
  });
});

describe('a release that crashes at its start', () => {
  it('changes nothing for visitors, and the message has the node, the reason and the last lines', async () => {
    const good = await work.read('hello/server.js');
    const before = (await get(HOST, '/')).release;
    await work.write('hello/server.js', "throw new Error('out of cheese');\n");
    const load = startLoad({ address: node.address, host: HOST, rate: 20, limit: 60_000 });
    const { code, stdout, stderr } = await sl(['deploy', 'hello', '-f', work.file, '--json']);
    const log = await load.stop();
    await work.write('hello/server.js', good);
    expect(code).toBe(1);
    expect(stderr).toMatch(/error: .*app1\.platforms-e2e\.internal.*\[E_APP_CRASHED\]/);
    expect(stderr).toContain('out of cheese');
    const { deploys } = JSON.parse(stdout) as DeployResult;
    expect(deploys).toEqual([expect.objectContaining({ outcome: 'aborted', previous: before })]);
    expect(judge(log, [before])).toMatchObject({ failed: [], stale: [] });
    expect((await get(HOST, '/')).release).toBe(before);
    await nothingIsLeftOf(deploys[0]?.instance ?? '');
  });
});

async function nothingIsLeftOf(instance: string): Promise<void> {
  const units = await node.exec(['systemctl', 'list-units', '--plain', '--no-legend', '--all', 'silver-app-*']);
  const folders = ['/var/www', '/etc/systemd/system', '/var/lib/silverlining/releases', '/var/lib/silverlining/env'];
  const files = await node.exec(['ls', ...folders]);
  expect(`${units.stdout}${files.stdout}`).toContain(instance.split('.')[0]);
  expect(`${units.stdout}${files.stdout}`).not.toContain(instance);
}

describeAgentsPort(SET, () => node);

describe('an app that leaves the file', () => {
  it('is no longer served, and leaves nothing running', async () => {
    const file = await work.read('silver.ini');
    const without = file
      .replace(/ {4}http:\/\/pages\.test\/ pages\n/, '')
      .replace(/\[app:pages\]\ndir = pages\n/, '')
      .replace(/^ {4}.* listing\n/gm, '')
      .replace(/\[app:listing\]\ndir = command\nhealth = \/health\n/, '');
    await work.write('silver.ini', without);
    const { changes } = await up();
    expect(changes).toBeGreaterThan(0);
    expect((await get('pages.test', '/')).status).toBe(404);
    expect((await get('any.platforms.test', '/')).status).toBe(404);
    expect((await get(HOST, '/wsgi/deep/x')).release).toMatch(/^wsgi\./);
    expect((await status()).apps.map((it) => it.name)).toEqual(['hello', 'wsgi']);
    const left = async () =>
      (await node.exec(['ls', '/var/www'])).stdout.split('\n').filter((it) => /^(listing|pages)\./.test(it));
    await expect.poll(left, { timeout: 60_000, interval: 500 }).toEqual([]);
    const { stdout } = await node.exec(['ps', '-eo', 'user:32=']);
    expect(stdout).not.toContain('app-listing');
  });
});
