/** Ten app servers, a database and a balancer: deploys under load, agents that stop, and a controller that goes away. */
import type { DeployRecord, DeployResult, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './support/http.ts';
import { judge, type Load, startLoad } from './support/load.ts';
import { type TestNode, testNodes } from './support/nodes.ts';
import { sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'fleet-e2e';
const HOST = 'fleet.test';
const APP_SERVERS = Array.from({ length: 10 }, (_, i) => `app${i + 1}`);
const ALL = [...APP_SERVERS, 'mysql', 'balancer'];
const POLL = { timeout: 120_000, interval: 500 };
/** A page of the app, from its database, at a rate that two cores can take beside a deploy. */
const PAGES = { host: HOST, rate: 200, limit: 90_000 };

interface Failure {
  code: string;
  message: string;
  node?: string;
}
type Deployed = Partial<DeployResult> & { error?: Failure };

let work: Workspace;
let first: UpResult;
let address: string;
let nodes: Map<string, TestNode>;
/** The app's program as the example has it. */
let app: string;

const deploy = (code = 0) => slJson<Deployed>(['deploy', '-f', work.file], { code });
const status = () => slJson<StatusResult>(['status', '-f', work.file]);
const release = async () => (await ask({ address, host: HOST })).release;
const short = (name: string) => name.split('.')[0] ?? '';

beforeAll(async () => {
  work = await copyExample('guestbook', SET);
  await work.edit('silver.ini', 'nodes = 2', 'nodes = 10');
  await work.edit('silver.ini', 'guestbook.test', HOST);
  app = await work.read('app/main.py');
  first = await slJson<UpResult>(['up', '-f', work.file, '--yes'], { timeout: 900_000 });
  address = first.sites[0]?.address ?? '';
  nodes = await testNodes(SET);
});

afterAll(async () => {
  await sl(['down', '-f', work.file, '--yes']);
  await work.remove();
});

/** The states of all nodes, by short name. */
async function states(): Promise<Record<string, string>> {
  return Object.fromEntries((await status()).nodes.map((node) => [short(node.name), node.state]));
}

const healthy = Object.fromEntries(ALL.map((name) => [name, 'healthy']));

/** A release that differs in one file, and starts in no time or, with `delay`, after so many seconds. */
async function changeApp(text: string, delay = 0): Promise<void> {
  const head = delay === 0 ? `# ${text}` : `# ${text}\n__import__("time").sleep(${delay})`;
  await work.write('app/main.py', `${head}\n${app}`);
}

describe('sl up', () => {
  it('brings up all twelve nodes, on one generation', async () => {
    expect(first.deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: null })]);
    expect([...nodes.keys()].sort()).toEqual([...ALL].sort());
    expect(await states()).toEqual(healthy);
    expect(new Set((await status()).nodes.map((node) => node.generation)).size).toBe(1);
  });

  it('finds nothing to do the second time', async () => {
    const second = await slJson<UpResult>(['up', '-f', work.file, '--yes']);
    expect(second).toMatchObject({ changes: 0, deploys: [] });
  });
});

describe('a deploy under load', () => {
  it('fails no request, and answers none with the old release after the switch', async () => {
    const before = await release();
    await changeApp('first');
    const load = startLoad({ address, ...PAGES });
    const { deploys } = await deploy();
    const log = await load.stop();
    const [record] = deploys ?? [];
    expect(record).toMatchObject({ outcome: 'done', previous: before, files: { sent: 1 } });
    const verdict = judge(log, [before, record?.instance ?? '']);
    expect(verdict).toMatchObject({ failed: [], stale: [] });
    // Both releases served while it lasted, so there was something to fail.
    for (const it of [before, record?.instance]) expect(log.some((answer) => answer.release === it)).toBe(true);
    expectMeasured(record, before);
  });
});

/** What the balancer counted says the same as the log of the load, which it cannot know. */
function expectMeasured(record: DeployRecord | undefined, before: string): void {
  expect(record?.requests).toMatchObject({ failed: 0, stale: 0 });
  const served = record?.requests?.releases ?? {};
  expect(served[before]?.requests).toBeGreaterThan(0);
  expect(served[record?.instance ?? '']?.requests).toBeGreaterThan(0);
}

/** How an agent is stopped and brought back; its node serves on. */
const STOPS = {
  'does not run any more': {
    stop: ['sh', '-c', 'systemctl kill --signal=KILL silver-agent.service; systemctl stop silver-agent.service'],
    start: ['systemctl', 'start', 'silver-agent.service'],
    reason: /is not connected|connection closed/,
  },
  'hangs (SIGSTOP)': {
    stop: ['systemctl', 'kill', '--kill-whom=main', '--signal=STOP', 'silver-agent.service'],
    start: ['systemctl', 'kill', '--kill-whom=main', '--signal=CONT', 'silver-agent.service'],
    reason: /silent for 25 s/,
  },
} as const;

describe.each(Object.entries(STOPS))('one of ten agents %s', (_what, { stop, start, reason }) => {
  const exec = (name: string, argv: readonly string[]) => nodes.get(name)?.exec(argv);

  /** The deploy fails for the node's sake, the old release serves on, and the next deploy works again. */
  async function refused(name: string, running: Promise<Deployed>, load: Load, before: string): Promise<void> {
    const { error, deploys = [] } = await running;
    const log = await load.stop();
    expect(error?.code).toBe('E_NODE_DISCONNECTED');
    expect(error?.message).toContain(`${name}.`);
    expect(error?.message).toMatch(reason);
    expect(deploys.map((it) => it.outcome)).not.toContain('done');
    expect(judge(log, [before])).toMatchObject({ failed: [], stale: [] });
    expect(new Set(log.map((it) => it.release))).toEqual(new Set([before]));
    await exec(name, start);
    await expect.poll(states, POLL).toEqual(healthy);
    await changeApp(`after ${name}`);
    expect((await deploy()).deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: before })]);
  }

  it('before staging: nothing switches, and the message says which and why', async () => {
    const before = await release();
    await exec('app3', stop);
    await changeApp('while app3 is away');
    const load = startLoad({ address, ...PAGES, rate: 50 });
    await refused('app3', deploy(1), load, before);
  });

  it('during staging: nothing switches, and the message says which and why', async () => {
    const before = await release();
    await changeApp('slow', 5);
    const load = startLoad({ address, ...PAGES, rate: 50 });
    const running = deploy(1);
    await expect.poll(() => isStaging('app7'), { ...POLL, interval: 100 }).toBe(true);
    await exec('app7', stop);
    await refused('app7', running, load, before);
  });
});

async function isStaging(name: string): Promise<boolean> {
  const { apps } = await status();
  return apps.some((it) => it.instances.some(({ node, state }) => short(node) === name && state === 'staging'));
}

describe('what was staged in vain', () => {
  it('is gone from every node, and only the active release runs', async () => {
    const active = await release();
    await expect.poll(running, POLL).toEqual(Object.fromEntries(APP_SERVERS.map((name) => [name, [active]])));
    // Agents tell what they hold a little later than they stop it.
    await expect.poll(left, POLL).toEqual([]);
  });
});

/** What is on nodes, by their own account, beside what is active and what is kept to go back to. */
async function left() {
  const { apps } = await status();
  return apps.flatMap((it) => it.instances.filter(({ state }) => state !== 'active' && state !== 'stopped'));
}

/** The instances whose unit is active, by node. */
async function running(): Promise<Record<string, string[]>> {
  const list = ['systemctl', 'list-units', '--plain', '--no-legend', '--state=active', 'silver-app-*'];
  const found = await Promise.all(
    APP_SERVERS.map(async (name) => {
      const stdout = (await nodes.get(name)?.exec(list))?.stdout ?? '';
      return [name, [...stdout.matchAll(/silver-app-(\S+)\.service/g)].map((match) => match[1] ?? '')] as const;
    }),
  );
  return Object.fromEntries(found);
}

const AGENT_JOURNAL = ['journalctl', '--unit=silver-agent.service', '--output=cat'];

describe('the controller', () => {
  /** Longer than the silence after which an agent gives its connection up, and tries ever less often. */
  const AWAY = 35_000;
  /** After this most of them wait for seconds before they try again. */
  const LATER = 15_000;

  it('loses nobody when it was stopped for a while, and the apps serve meanwhile', async () => {
    const before = await release();
    const load = startLoad({ address, ...PAGES, rate: 50, limit: 240_000 });
    expect((await sl(['controller', 'stop', '--force'])).code).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, AWAY));
    expect((await sl(['controller', 'start'])).code).toBe(0);
    const seen = new Set<string>();
    const look = async () => {
      const now = await states();
      for (const state of Object.values(now)) seen.add(state);
      return now;
    };
    await expect.poll(look, POLL).toEqual(healthy);
    // Agents that are still on their way back are no reason for an alarm.
    expect(seen).not.toContain('down');
    expect(seen).not.toContain('missing');
    expect(judge(await load.stop(), [before])).toMatchObject({ failed: [], stale: [] });
  });

  it('calls those that wait before they try again, when a deploy needs them', async () => {
    const before = await release();
    expect((await sl(['controller', 'stop', '--force'])).code).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, LATER));
    await changeApp('after the controller was away');
    expect((await deploy()).deploys).toEqual([expect.objectContaining({ outcome: 'done', previous: before })]);
    const journals = await Promise.all([...nodes.values()].map((it) => it.exec(AGENT_JOURNAL)));
    expect(journals.map((it) => it.stdout)).toContainEqual(expect.stringContaining('the controller called'));
    // No deploy needs the database's agent, so that it comes when its time has come.
    await expect.poll(states, POLL).toEqual(healthy);
  });
});
