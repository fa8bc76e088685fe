/** `sl` and its controller cut off at any moment: nothing is half left, and the next run goes on from there. */
import { randomUUID } from 'node:crypto';
import type { DeployResult, DeploysResult, StatusResult, UpResult } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { hostCommand } from '../../packages/controller/src/io/host-packages.ts';
import { stopPackageCache } from '../../packages/controller/src/io/provider/local-package-cache.ts';
import { ask } from './support/http.ts';
import { interruptAt, killController, leftovers, slCutAt, tracesNow } from './support/interruption.ts';
import { judge, startLoad } from './support/load.ts';
import { testNodes } from './support/nodes.ts';
import { type SlResult, sl, slJson } from './support/sl.ts';
import { copyExample, type Workspace } from './support/workspace.ts';

const SET = 'cutoff-e2e';
const HOST = 'cutoff.test';
/** Long enough for anything to happen while a release is staged. */
const SLOW_START = 'await new Promise((done) => setTimeout(done, 4000));\nconst server =';

let work: Workspace;

const up = () => slJson<UpResult>(['up', '-f', work.file, '--yes']);
const args = (...verb: string[]) => [...verb, '-f', work.file, '--yes', '-v'];
const deploys = async () => (await slJson<DeploysResult>(['deploys', '-f', work.file])).deploys;

beforeAll(async () => {
  work = await copyExample('node', SET);
  await work.edit('silver.ini', 'http://hello.test/', `http://${HOST}/`);
  await work.edit('silver.ini', '[appserver]', '[appserver]\nnodes = 2\nload_balancer = false');
});

afterAll(async () => {
  await sl(['down', '--set', SET, '--yes']);
  await work?.remove();
});

type Moment = [string, RegExp];

/** In the order in which a set comes up; each run starts where the one before was cut off. */
const CANCELLED_WHEN: Moment[] = [
  ['nodes are created', /: creating/],
  ['the runtime or the agent is sent', /: sending/],
  ['roles are set up', /: (?:file|link|directory|packages):/],
  ['the release is staged', /: staging /],
];
const KILLED_WHEN: Moment[] = [
  ['nodes boot', /: (?:booting|created)/],
  ['the certificate is made', /: making its key/],
  ['the agent starts', /: starting the agent|its agent is connected/],
  ['the release is staged', /: staging /],
];

async function expectWholeSet(): Promise<void> {
  const { nodes } = await slJson<StatusResult>(['status', '-f', work.file]);
  expect(nodes.map((it) => [it.state, it.reasons])).toEqual(Array(2).fill(['healthy', []]));
  const existing = [...(await testNodes(SET)).values()];
  expect(existing.map((it) => it.name).sort()).toEqual(nodes.map((it) => it.name).sort());
  for (const { address } of existing) expect(await ask({ address, host: HOST })).toMatchObject({ status: 200 });
}

/** The set is down, at the first try or after one more. */
async function expectNothingLeft(down: () => Promise<SlResult>): Promise<void> {
  const before = await tracesNow();
  expect(before.uuids.length).toBeGreaterThan(0);
  await down();
  expect((await sl(['down', '--set', SET, '--yes'])).code).toBe(0);
  expect(await leftovers(SET, before)).toEqual([]);
}

describe('Ctrl-C while sl up works', () => {
  it.each(CANCELLED_WHEN)(
    'when %s: exit status 130, says what it leaves, and holds nothing',
    async (_moment, moment) => {
      const { code, reached, stderr } = await interruptAt(args('up'), moment);
      expect([code, reached]).toEqual([130, true]);
      expect(stderr).toMatch(/stopping; once more/);
      expect(stderr).toMatch(/error: sl up of cutoff-e2e was cancelled; no release was switched to/);
      const status = await slJson<{ operations: unknown[] }>(['controller', 'status']);
      expect(status.operations).toEqual([]);
    },
  );

  it('lets sl down take away what there is', async () => {
    await expectNothingLeft(() => sl(['down', '-f', work.file, '--yes']));
  });
});

describe('the controller killed while sl up works', () => {
  it.each(KILLED_WHEN)('when %s: sl says so', async (_moment, moment) => {
    const { code, reached, stderr } = await slCutAt(args('up'), moment, killController);
    expect([code, reached]).toEqual([1, true]);
    expect(stderr).toMatch(/error: the controller ended .*sl up/);
  });

  it('is gone on from by the next sl up', async () => {
    await up();
    await expectWholeSet();
    expect(await up()).toMatchObject({ changes: 0, deploys: [] });
  });
});

describe('a deploy', () => {
  it('whose controller is killed while it stages changes nothing', async () => {
    const [app1] = (await testNodes(SET)).values();
    const before = (await deploys())[0]?.instance ?? '';
    await work.edit('app/server.js', 'Hello', 'Good day');
    const load = startLoad({ address: app1?.address ?? '', host: HOST, rate: 20, limit: 60_000 });
    const { code } = await slCutAt(args('deploy'), /: staging /, killController);
    expect(code).toBe(1);
    expect((await deploys())[0]).toMatchObject({ outcome: 'aborted', state: 'ended' });
    expect(judge(await load.stop(), [before])).toMatchObject({ failed: [], stale: [] });
  });

  it('whose controller is killed after the decision is finished, and can be attached to', async () => {
    const { code, stderr } = await slCutAt(args('deploy'), /: switched to /, killController);
    expect(code).toBe(1);
    const id = /sl deploy --attach (\S+)/.exec(stderr)?.[1] ?? '';
    const attached = await slJson<DeployResult>(['deploy', '--attach', id]);
    expect(attached.deploys).toEqual([expect.objectContaining({ outcome: 'done' })]);
    await expect.poll(() => releases(), POLL).toEqual(new Set([attached.deploys[0]?.instance]));
  });

  it('goes on without its sl, tells the next one who it is, and can be attached to', async () => {
    await work.edit('app/server.js', 'const server =', SLOW_START);
    const killed = await interruptAt(args('deploy'), /: staging /, 'SIGKILL');
    expect(killed).toMatchObject({ code: null, reached: true });
    const second = await sl(['up', '-f', work.file, '--yes']);
    expect(second.code).toBe(3);
    expect(second.stderr).toMatch(
      /sl deploy \(\S+@\S+\) is running on cutoff-e2e since .* sl deploy --attach deploy-\S+ \[E_BUSY\]/,
    );
    const id = /--attach (\S+)/.exec(second.stderr)?.[1] ?? '';
    const attached = await slJson<DeployResult>(['deploy', '--attach', id]);
    expect(attached.deploys).toEqual([expect.objectContaining({ outcome: 'done' })]);
  });

  it('is one of two that start at once', async () => {
    await work.edit('app/server.js', 'Good day', 'Good evening');
    const both = await Promise.all([sl(args('up')), sl(args('up'))]);
    expect(both.map((it) => it.code).sort()).toEqual([0, 3]);
    expect(both.find((it) => it.code === 3)?.stderr).toMatch(
      /sl up \(\S+\) is running .* sl deploy --attach up-\S+ \[E_BUSY\]/,
    );
  });

  it('is given up by Ctrl-C while it stages, and leaves nothing on the nodes', async () => {
    const before = await releases();
    await work.edit('app/server.js', 'Good evening', 'Good night');
    const { code, stdout, stderr } = await interruptAt(args('deploy'), /: staging /);
    expect(code).toBe(130);
    expect(stdout).toMatch(/was given up: hello\.\S+ is active as before/);
    expect(stderr).toMatch(/sl deploy of cutoff-e2e was cancelled; nothing was switched/);
    expect(await releases()).toEqual(before);
    const gone = /hello: (hello\.\S+) was given up/.exec(stdout)?.[1] ?? 'none';
    for (const node of (await testNodes(SET)).values())
      expect((await node.exec(['ls', '/var/www', '/etc/systemd/system'])).stdout).not.toContain(gone);
    await work.edit('app/server.js', SLOW_START, 'const server =');
  });
});

const POLL = { timeout: 60_000, interval: 500 };

/** Releases that answer, over all nodes. */
async function releases(): Promise<Set<string>> {
  const nodes = [...(await testNodes(SET)).values()];
  const answers = await Promise.all(nodes.map(({ address }) => ask({ address, host: HOST })));
  return new Set(answers.map((it) => it.release));
}

describe('the machine started again', () => {
  it('has its local nodes up with the next sl up, without a new deploy', async () => {
    const before = await releases();
    await sl(['controller', 'stop', '--force']);
    await loseMachine();
    const { deploys: made } = await up();
    expect(made.map((it) => it.outcome)).toEqual(['done']);
    expect(before).not.toEqual(await releases());
    await expectWholeSet();
  });
});

/** What a restart leaves is on the disk: processes, network and package cache are gone. */
async function loseMachine(): Promise<void> {
  const { state, network } = await tracesNow();
  for (const node of (await testNodes(SET)).values()) await node.powerOff();
  await stopPackageCache(`${state}/local/packages`);
  await hostCommand(['ip', 'link', 'delete', network?.bridge ?? randomUUID()]);
  await hostCommand(['ip', 'route', 'delete', 'unreachable', network?.subnet ?? randomUUID()]);
}

describe('sl down', () => {
  it('cut off by the death of the controller leaves nothing once it is repeated', async () => {
    await expectNothingLeft(() => slCutAt(args('down'), /: destroying/, killController));
  });

  it('takes away what a killed sl up began', async () => {
    await slCutAt(args('up'), /: making its key/, killController);
    await expectNothingLeft(() => interruptAt(args('down'), /: destroying/));
    expect(findDirectories().state).toContain('silverlining');
  });
});
