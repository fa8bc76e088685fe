/** The main job: the guestbook example on two app servers, a database and a balancer, as a new user would run it. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { DeployResult, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './support/http.ts';
import { judge, startLoad } from './support/load.ts';
import { testNodes } from './support/nodes.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'guestbook-e2e';
const HOST = 'guestbook.test';

let work: Workspace;
let address: string;
let first: UpResult;

const up = (code = 0) => slJson<UpResult>(['up', '-f', work.file, '--yes'], { code });
const deploy = (code = 0) => slJson<DeployResult & { error?: Failure }>(['deploy', '-f', work.file], { code });
const status = () => slJson<StatusResult>(['status', '-f', work.file]);
const page = () => ask({ address, host: HOST });

interface Failure {
  code: string;
  message: string;
  node?: string;
  details?: { log?: string[] };
}

beforeAll(async () => {
  work = await copyExample('guestbook', SET);
  first = await up();
  address = first.sites[0]?.address ?? '';
});

afterAll(async () => {
  await sl(['down', '-f', work.file, '--yes']);
  await work.remove();
});

describe('sl up', () => {
  it('ends with the address of the site', () => {
    expect(first.sites).toEqual([{ url: 'http://guestbook.test/', app: 'guestbook', address }]);
    expect(first.deploys).toEqual([expect.objectContaining({ app: 'guestbook', outcome: 'done', previous: null })]);
  });

  it('leaves four healthy nodes on one generation', async () => {
    const { nodes, generation } = await status();
    expect(nodes.map((node) => [node.name.split('.')[0], node.state, node.reasons])).toEqual([
      ['app1', 'healthy', []],
      ['app2', 'healthy', []],
      ['mysql', 'healthy', []],
      ['balancer', 'healthy', []],
    ]);
    expect(new Set(nodes.map((node) => node.generation))).toEqual(new Set([generation]));
  });

  it('shows entries written through one app server on the other', async () => {
    const wrote = await ask({ address, host: HOST, method: 'POST', body: 'text=hello+there', headers: FORM });
    expect(wrote.status).toBe(303);
    const pages = await Promise.all(Array.from({ length: 8 }, page));
    const nodes = new Set(pages.map(({ body }) => /id="node">([^<]+)</.exec(body)?.[1]));
    expect(nodes.size).toBe(2);
    for (const { body, status: code } of pages) {
      expect(code).toBe(200);
      expect(body).toContain('hello there');
    }
  });

  it('names the release on every response, static files included', async () => {
    const instance = first.deploys[0]?.instance;
    expect((await page()).release).toBe(instance);
    const css = await ask({ address, host: HOST, path: '/style.css' });
    expect(css).toMatchObject({ status: 200, release: instance });
  });

  it('has nothing to do the second time', async () => {
    expect(await up()).toMatchObject({ set: SET, changes: 0, deploys: [] });
  });
});

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

describe('after one file changed', () => {
  it('sends that file and switches under load without a failed or stale answer', async () => {
    const before = (await page()).release;
    await work.edit('app/main.py', '<h1>Guestbook</h1>', '<h1>Guest book</h1>');
    const load = startLoad({ address, host: HOST, rate: 100, limit: 60_000 });
    await sleep(500);
    const { deploys } = await up();
    await sleep(500);
    const log = await load.stop();
    expect(deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: before })]);
    expect(deploys[0]?.files.sent).toBe(1);
    expect(deploys[0]?.requests).toMatchObject({ failed: 0, stale: 0 });
    const verdict = judge(log, [before, deploys[0]?.instance ?? '']);
    expect(verdict).toMatchObject({ failed: [], stale: [] });
    expect(verdict.requests).toBeGreaterThan(50);
  });

  it('keeps the rows', async () => {
    const { body } = await page();
    expect(body).toContain('Guest book');
    expect(body).toContain('hello there');
  });

  it('goes back and forth with sl rollback', async () => {
    const before = (await page()).release;
    const { deploys } = await slJson<DeployResult>(['rollback', '-f', work.file]);
    expect(deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: before })]);
    expect((await page()).body).toContain('<h1>Guestbook</h1>');
    await slJson(['rollback', '-f', work.file]);
    expect((await page()).release).toBe(before);
  });
});

describe('a release that is no good', () => {
  const cases: [string, string, string, RegExp][] = [
    ['crashes at start', 'import html', 'raise SystemExit("out of cheese")', /E_APP_CRASHED/],
    ['never gets healthy', 'query("SELECT 1")', 'return "503 No", "text/plain", "not today"', /E_APP_UNHEALTHY/],
    ['hangs', 'query("SELECT 1")', '__import__("time").sleep(3600)', /E_APP_UNHEALTHY/],
    ['has an update_fetch that fails', 'query(SCHEMA)', 'return "500 No", "text/plain", "no update"', /E_UPDATE_FETCH/],
  ];

  it.each(cases)('%s: nothing switches and the message says why', async (_what, from, to, code) => {
    const good = await work.read('app/main.py');
    const before = await page();
    await work.edit('silver.ini', 'health = /health', 'health = /health\nhealth_timeout = 6');
    await work.edit('app/main.py', from, to);
    const load = startLoad({ address, host: HOST, rate: 20, limit: 120_000 });
    const result = await deploy(1);
    const log = await load.stop();
    await work.write('app/main.py', good);
    await work.edit('silver.ini', '\nhealth_timeout = 6', '');
    expect(result.error?.code).toMatch(code);
    expect(result.error?.node).toMatch(/^app[12]\./);
    expect(result.deploys[0]).toMatchObject({ outcome: 'aborted' });
    expect(judge(log, [before.release])).toMatchObject({ failed: [], stale: [] });
    expect((await page()).release).toBe(before.release);
    await nothingIsLeftOf(result.deploys[0]?.instance ?? '');
  });

  it('shows the last lines that the app wrote', async () => {
    const good = await work.read('app/main.py');
    await work.edit('app/main.py', 'import html', 'raise SystemExit("out of cheese")');
    const { code, stderr } = await sl(['deploy', '-f', work.file]);
    await work.write('app/main.py', good);
    expect(code).toBe(1);
    expect(stderr).toContain('out of cheese');
  });
});

async function nothingIsLeftOf(instance: string): Promise<void> {
  for (const [name, node] of await testNodes(SET)) {
    if (!name.startsWith('app')) continue;
    const units = await node.exec(['systemctl', 'list-units', '--all', '--plain', '--no-legend', 'silver-app-*']);
    const files = await node.exec([
      'find',
      '/var/lib/silverlining',
      '/var/www',
      '/etc/systemd/system',
      '-name',
      `*${instance}*`,
    ]);
    expect(units.stdout).not.toContain(instance);
    expect(files.stdout).toBe('');
  }
}

describe('nodes that fail', () => {
  it('an agent that is killed comes back by itself', async () => {
    const app1 = (await testNodes(SET)).get('app1');
    await app1?.exec(['systemctl', 'kill', '--signal=KILL', 'silver-agent.service']);
    await expect
      .poll(async () => (await status()).nodes.map((node) => node.state), POLL)
      .toEqual(Array(4).fill('healthy'));
  });

  it('a node whose init was killed serves again after its start, without SSH', async () => {
    const nodes = await testNodes(SET);
    const app2 = nodes.get('app2');
    for (const node of nodes.values())
      await node.exec(['systemctl', 'disable', '--now', 'ssh.service', 'ssh.socket'], { allowExit: [1] });
    await app2?.powerOff();
    const without = await Promise.all(Array.from({ length: 6 }, page));
    expect(without.map((it) => it.status)).toEqual(Array(6).fill(200));
    await app2?.powerOn();
    await expect
      .poll(async () => (await status()).nodes.map((node) => node.state), POLL)
      .toEqual(Array(4).fill('healthy'));
    await expect.poll(servingNodes, POLL).toEqual(new Set(['app1', 'app2']));
  });
});

const POLL = { timeout: 90_000, interval: 1000 };

async function servingNodes(): Promise<Set<string>> {
  const pages = await Promise.all(Array.from({ length: 8 }, page));
  return new Set(pages.map(({ body }) => /id="node">(app\d)/.exec(body)?.[1] ?? ''));
}

describe('sl logs', () => {
  it('merges the last lines of all nodes, each with its node', async () => {
    const { code, stdout } = await sl(['logs', '--file', work.file, '-n', '50']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/app1/);
    expect(stdout).toMatch(/app2/);
  });
});

describe('sl down', () => {
  it('asks, and leaves nothing behind', async () => {
    const refused = await sl(['down', '-f', work.file]);
    expect(refused.code).toBe(3);
    const { destroyed } = await slJson<{ destroyed: string[] }>(['down', '-f', work.file, '--yes']);
    expect(destroyed).toHaveLength(4);
    expect(await testNodes(SET)).toEqual(new Map());
  });
});
