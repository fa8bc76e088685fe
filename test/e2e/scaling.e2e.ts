/** More and fewer app servers behind a balancer that serves all the while. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployResult, Plan, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './support/http.ts';
import { judge, startLoad, visitWhile } from './support/load.ts';
import { testNodes } from './support/nodes.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'scaling-e2e';
const HOST = 'scaling.test';
const LOAD = { host: HOST, rate: 100, limit: 400_000 };

let work: Workspace;
let address: string;
let release: string;

const up = () => slJson<UpResult>(['up', '-f', work.file, '--yes']);
const plan = () => slJson<Plan>(['plan', '-f', work.file]);
const status = () => slJson<StatusResult>(['status', '-f', work.file]);
const short = (name: string) => name.split('.')[0] ?? '';

beforeAll(async () => {
  work = await copyExample('node', SET);
  await work.edit('silver.ini', 'hello.test', HOST);
  await work.edit('silver.ini', /(locations =\n.*\n)/, '$1nodes = 2\n\n[balancer]\n');
  const { sites, deploys } = await up();
  address = sites[0]?.address ?? '';
  release = deploys[0]?.instance ?? '';
});

afterAll(async () => {
  await sl(['down', '-f', work.file, '--yes']);
  await work.remove();
});

/** The balancer takes a moment to see that a new server answers its health check. */
const POLL = { timeout: 20_000, interval: 500 };

/** The app servers that answer through the balancer. */
async function serving(): Promise<string[]> {
  const pages = await Promise.all(Array.from({ length: 16 }, () => ask({ address, host: HOST })));
  return [...new Set(pages.map(({ body }) => /on (app\d+)/.exec(body)?.[1] ?? body))].sort();
}

/** State, and what is wrong, of every node in the order of the file. */
async function states(): Promise<string[]> {
  return (await status()).nodes.map(({ name, state, reasons }) => [short(name), state, ...reasons].join(' '));
}

/** Whether a node's web server and balancer run, and whether they start at boot. */
async function servers(name: string): Promise<Record<string, string>> {
  const node = (await testNodes(SET)).get(name);
  const ask = async (unit: string) => {
    const answers = ['is-active', 'is-enabled'].map((it) => node?.exec(['systemctl', it, unit], { allowExit: [1, 3] }));
    return (await Promise.all(answers)).map((it) => it?.stdout.trim()).join(' ');
  };
  return { apache2: await ask('apache2'), haproxy: await ask('haproxy') };
}

const healthy = (...names: string[]) => names.map((name) => `${name} healthy`);

describe('two app servers become four', () => {
  it('creates and deploys to the two new ones, and the balancer uses them, without a failed request', async () => {
    await expect.poll(serving, POLL).toEqual(['app1', 'app2']);
    await work.edit('silver.ini', 'nodes = 2', 'nodes = 4');
    const load = startLoad({ address, ...LOAD });
    const { changes, deploys } = await up();
    const log = await load.stop();
    expect(changes).toBeGreaterThan(0);
    // The release that is live is brought to the new ones; nothing is switched.
    expect(deploys).toEqual([]);
    expect(judge(log, [release])).toMatchObject({ failed: [], stale: [] });
    expect(new Set(log.map((it) => it.release))).toEqual(new Set([release]));
    await expect.poll(serving, POLL).toEqual(['app1', 'app2', 'app3', 'app4']);
    await expect.poll(states, POLL).toEqual(healthy('app1', 'app2', 'app3', 'app4', 'balancer'));
  });

  it('deploys to all four from then on', async () => {
    await work.edit('app/server.js', 'Hello from', 'Greetings from');
    const load = startLoad({ address, ...LOAD });
    const { deploys } = await up();
    const log = await load.stop();
    expect(deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: release })]);
    expect(judge(log, [release, deploys[0]?.instance ?? ''])).toMatchObject({ failed: [], stale: [] });
    release = deploys[0]?.instance ?? '';
  });
});

describe('four become two again', () => {
  it('is planned with what is drained and destroyed', async () => {
    await work.edit('silver.ini', 'nodes = 4', 'nodes = 2');
    const { steps } = await plan();
    for (const name of ['app3', 'app4']) {
      const about = steps.filter((step) => short(step.node ?? '') === name).map((step) => step.action);
      expect(about).toEqual(['drain-node', 'destroy-node']);
    }
  });

  it('is not done without a yes', async () => {
    const { code, stdout, stderr } = await sl(['up', '-f', work.file]);
    expect(code).toBe(3);
    expect(stdout + stderr).toMatch(/destroy app4\.[\s\S]*destroy app3\./);
    expect(await serving()).toEqual(['app1', 'app2', 'app3', 'app4']);
  });

  it('drains them, takes them off the balancer and destroys them, without a failed request', async () => {
    const load = startLoad({ address, ...LOAD });
    await up();
    const log = await load.stop();
    expect(judge(log, [release])).toMatchObject({ failed: [], stale: [] });
    expect(await serving()).toEqual(['app1', 'app2']);
    expect([...(await testNodes(SET)).keys()].sort()).toEqual(['app1', 'app2', 'balancer']);
    await expect.poll(states, POLL).toEqual(healthy('app1', 'app2', 'balancer'));
  });

  it('leaves no trace of them in what the others know', async () => {
    const nodes = await testNodes(SET);
    for (const name of ['app1', 'balancer']) {
      const { stdout } = (await nodes.get(name)?.exec(['cat', '/etc/hosts', '/etc/silverlining/topology.json'])) ?? {};
      expect(stdout).toContain('app2');
      expect(stdout).not.toMatch(/app[34]/);
    }
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
  });
});

describe('a server that comes together with something else', () => {
  const EXTRA = ['    http://extra.test/ extra\n', '\n[app:extra]\ndir = extra\n'] as const;

  it('gets the release that comes with it, where the one that is live is not to be had any more', async () => {
    await work.edit('silver.ini', 'nodes = 2', 'nodes = 3');
    await work.edit('silver.ini', /(locations =\n.*\n)/, `$1${EXTRA[0]}`);
    await work.edit('silver.ini', /$/, EXTRA[1]);
    await mkdir(join(work.dir, 'extra/static'), { recursive: true });
    await work.write('extra/app.ini', '[production]\napp_name = extra\nplatform = static\n');
    await work.write('extra/static/index.html', 'extra');
    await work.edit('app/server.js', 'Greetings from', 'Welcome from');
    const load = startLoad({ address, ...LOAD });
    const { deploys } = await up();
    const log = await load.stop();
    const [hello] = deploys.filter((it) => it.app === 'hello');
    expect(hello).toMatchObject({ outcome: 'done', previous: release });
    expect(judge(log, [release, hello?.instance ?? ''])).toMatchObject({ failed: [], stale: [] });
    release = hello?.instance ?? '';
    await expect.poll(serving, POLL).toEqual(['app1', 'app2', 'app3']);
    expect((await ask({ address, host: 'extra.test' })).body).toBe('extra');
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
  });

  it('goes back with the others to a release that it never had', async () => {
    const load = startLoad({ address, ...LOAD });
    const back = await slJson<DeployResult>(['rollback', 'hello', '-f', work.file, '--yes']);
    const earlier = back.deploys[0]?.instance ?? '';
    expect(back.deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: release })]);
    await expect.poll(serving, POLL).toEqual(['app1', 'app2', 'app3']);
    expect((await ask({ address, host: HOST })).body).toMatch(/^Greetings from/);
    const { deploys } = await up();
    const log = await load.stop();
    expect(deploys).toEqual([expect.objectContaining({ app: 'hello', outcome: 'done', previous: earlier })]);
    expect(judge(log, [release, earlier, deploys[0]?.instance ?? ''])).toMatchObject({ failed: [], stale: [] });
    release = deploys[0]?.instance ?? '';
  });

  it('is not given an app that goes', async () => {
    for (const line of EXTRA) await work.edit('silver.ini', line, '');
    await work.edit('silver.ini', 'nodes = 3', 'nodes = 4');
    const load = startLoad({ address, ...LOAD });
    expect((await up()).deploys).toEqual([]);
    expect(judge(await load.stop(), [release])).toMatchObject({ failed: [], stale: [] });
    await expect.poll(serving, POLL).toEqual(['app1', 'app2', 'app3', 'app4']);
    await expect.poll(states, POLL).toEqual(healthy('app1', 'app2', 'app3', 'app4', 'balancer'));
    expect((await ask({ address, host: 'extra.test' })).status).toBe(404);
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
  });
});

const ON_APP1 = '[balancer]\nnode_names = app1.scaling-e2e.internal\n';

describe('an app server that is the balancer as well', () => {
  it('takes over from the balancer that goes, and both roles work on it', async () => {
    await work.edit('silver.ini', '[balancer]\n', ON_APP1);
    const { sites } = await up();
    expect([...(await testNodes(SET)).keys()].sort()).toEqual(['app1', 'app2', 'app3', 'app4']);
    address = sites[0]?.address ?? '';
    expect(address).toBe((await testNodes(SET)).get('app1')?.address);
    await expect.poll(serving, POLL).toEqual(['app1', 'app2', 'app3', 'app4']);
    const [app1] = (await status()).nodes;
    expect(app1).toMatchObject({ state: 'healthy', roles: ['appserver', 'balancer'] });
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
  });

  it('deploys under load like any other', async () => {
    await work.edit('app/server.js', 'Welcome from', 'Hello from');
    const load = startLoad({ address, ...LOAD });
    const { deploys } = await up();
    const log = await load.stop();
    expect(deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: release })]);
    expect(deploys[0]?.requests).toMatchObject({ failed: 0, stale: 0 });
    expect(judge(log, [release, deploys[0]?.instance ?? ''])).toMatchObject({ failed: [], stale: [] });
    release = deploys[0]?.instance ?? '';
  });
});

/** The node's instances, as systemd has them. */
async function units(name: string): Promise<string | undefined> {
  const list = ['systemctl', 'list-units', '--plain', '--no-legend', 'silver-app-*'];
  return (await (await testNodes(SET)).get(name)?.exec(list))?.stdout;
}

describe('a balancer that gets a node of its own', () => {
  it('serves there before it stops on the app server, which takes port 80', async () => {
    await work.edit('silver.ini', ON_APP1, '[balancer]\n');
    const moving = up();
    const next = async () => (await testNodes(SET)).get('balancer')?.address ?? address;
    expect(await visitWhile(moving, { first: address, next, host: HOST, release })).toEqual([]);
    address = (await moving).sites[0]?.address ?? '';
    expect(address).toBe(await next());
    await expect.poll(serving, POLL).toEqual(['app1', 'app2', 'app3', 'app4']);
    await expect.poll(states, POLL).toEqual(healthy('app1', 'app2', 'app3', 'app4', 'balancer'));
    expect(await servers('app1')).toEqual({ apache2: 'active enabled', haproxy: 'inactive disabled' });
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
  });

  it('takes the place of an app server that is none any more', async () => {
    await work.edit('silver.ini', 'nodes = 4', 'nodes = 3\nnode_names = app2, app3, app4');
    await work.edit('silver.ini', '[balancer]\n', ON_APP1);
    address = (await up()).sites[0]?.address ?? '';
    await expect.poll(serving, POLL).toEqual(['app2', 'app3', 'app4']);
    await expect.poll(states, POLL).toEqual(healthy('app2', 'app3', 'app4', 'app1'));
    expect(await servers('app1')).toEqual({ apache2: 'inactive disabled', haproxy: 'active enabled' });
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
    // Its processes go as those of a release that was replaced do.
    await expect.poll(() => units('app1'), POLL).toEqual('');
  });
});
