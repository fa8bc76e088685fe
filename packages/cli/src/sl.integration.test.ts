/** The `sl` command as a process, against the real API with a fake service behind it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SlError, VERSION } from '@silverlining/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CLI_INI, createCliHome } from '../../../test/builders/cli-home.ts';
import { type ApiFixture, aborted, startApiFixture } from '../../../test/fakes/api-fixture.ts';
import { aDeploy } from '../../../test/fakes/fake-service.ts';
import { OperationFailed } from '../../controller/src/service.ts';

const sl = fileURLToPath(new URL('../bin/sl', import.meta.url));
let home: string;
let api: ApiFixture;

beforeAll(async () => {
  home = await createCliHome();
  // The first one compiles for all others.
  await run('--help');
});
afterAll(() => rm(home, { recursive: true, maxRetries: 10 }));

/** A machine with other things to do may take seconds to start `sl`. */
const PATIENT = { timeout: 30_000 };

interface Ended {
  status: number | null;
  out: string;
  err: string;
}

/** With a Node in front that `sl` can run on, not the machine's, which only has to find that one. */
const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;

function start(
  args: string[],
  path = PATH,
  { out = 'pipe', err = 'pipe' }: { out?: 'pipe' | number; err?: 'pipe' | number } = {},
): { child: ChildProcess; ended: Promise<Ended>; err: () => string } {
  const env = { PATH: path, HOME: home, XDG_STATE_HOME: join(home, 'state') };
  const child = spawn(sl, args, { cwd: home, env, stdio: ['ignore', out, err] });
  const text = { out: '', err: '' };
  child.stdout?.on('data', (part) => {
    text.out += part;
  });
  child.stderr?.on('data', (part) => {
    text.err += part;
  });
  return { child, ended: once(child, 'close').then(([status]) => ({ status, ...text })), err: () => text.err };
}

const run = (...args: string[]) => start(args).ended;

describe('without a controller', () => {
  it.concurrent('tells its version and its commands, whatever Node the machine has', async () => {
    const onMachines = start(['--version'], process.env.PATH).ended;
    expect(await onMachines).toEqual({ status: 0, out: `${VERSION}\n`, err: '' });
    expect(await run('logs', '--help')).toMatchObject({ status: 0, out: expect.stringContaining('Examples:') });
  });

  it.concurrent('says in a line that its output cannot be written, status 1', async () => {
    const full = openSync('/dev/full', 'w');
    const { status, err } = await start(['version'], PATH, { out: full }).ended;
    closeSync(full);
    expect({ status, err }).toEqual({ status: 1, err: expect.stringMatching(/^error: .*ENOSPC.*\n$/) });
  });

  it('checks the file, and starts nothing for it', async () => {
    const { status, out } = await run('check', '--json');
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ ok: true, set: 'shop', problems: [] },
      nodes: [{ name: 'app1.shop.internal', roles: ['appserver'] }],
    });
    await expect(readFile(join(home, 'state/silverlining/controller.log'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.concurrent('lists every problem of the file with its line, status 2', async () => {
    await writeFile(join(home, 'bad.ini'), CLI_INI.replace('[appserver]', '[appserver]\nnods = 2\nsise = 1'));
    const { status, out, err } = await run('check', '--json', '-f', 'bad.ini');
    expect(status).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      problems: [{ line: 6 }, { line: 7 }],
      error: { code: 'E_CONFIG' },
    });
    expect(err).toContain(`${join(home, 'bad.ini')}:6: `);
    expect(await run('up', '-f', 'bad.ini')).toMatchObject({ status: 2, err });
  });
});

describe('with a controller', () => {
  beforeEach(async () => {
    api = await startApiFixture({ directory: join(home, 'state/silverlining') });
  });
  afterEach(() => api.close());

  it('does not go on without a terminal to ask on, status 3', async () => {
    expect(await run('up')).toMatchObject({ status: 3, err: expect.stringContaining('--yes') });
    expect(await run('down')).toMatchObject({ status: 3, out: expect.stringContaining('app1.shop.internal') });
    expect(api.service.asked.map((it) => it.verb)).toEqual(['plan', 'status']);
  });

  it('up: plan and progress on standard error, one document on standard output', async () => {
    const { status, out, err } = await run('up', '--yes', '--json');
    expect({ status, ...JSON.parse(out) }).toEqual({
      status: 0,
      ok: true,
      set: 'shop',
      changes: 2,
      deploys: [aDeploy],
      sites: [],
    });
    expect(err).toContain('create app2.shop.internal');
    expect(api.service.asked.at(-1)).toMatchObject({
      verb: 'up',
      request: { set: { name: 'shop' }, installHostPackages: true },
    });
  });

  it('does what was asked for where nobody reads its plan to the end', async () => {
    const { child, ended } = start(['up', '--yes']);
    child.stdout?.destroy();
    expect(await ended).toMatchObject({ status: 0 });
    expect(api.service.asked.map((it) => it.verb)).toEqual(['plan', 'up']);
  });

  it('logs end when nobody reads on', async () => {
    api.service.logs$ = async ({ emit, signal }) => {
      while (!signal.aborted) await emit({ node: 'app1', at: 0, source: 'blog', text: 'x'.repeat(10_000) });
    };
    const { child, ended } = start(['logs', '-f']);
    child.stdout?.once('data', () => child.stdout?.destroy());
    expect(await ended).toMatchObject({ status: 0, err: '' });
  });

  it('goes on to its end where nobody can be told of progress', async () => {
    const full = openSync('/dev/full', 'w');
    const { status, out } = await start(['up', '--yes', '--json'], PATH, { err: full }).ended;
    closeSync(full);
    expect({ status, ...JSON.parse(out) }).toMatchObject({ status: 0, ok: true, deploys: [aDeploy] });
  });
});

describe('Ctrl-C', () => {
  beforeEach(async () => {
    api = await startApiFixture({ directory: join(home, 'state/silverlining') });
  });
  afterEach(() => api.close());

  it('cancels the operation and waits for its end, status 130', async () => {
    api.service.work.deploy = async ({ emit, signal }) => {
      emit({ status: 'info', action: 'stage', text: 'at work' });
      await aborted(signal);
      throw new OperationFailed(new SlError('E_ABORTED', 'cancelled'), {
        deploys: [{ ...aDeploy, outcome: 'aborted' }],
      });
    };
    const { child, ended, err } = start(['deploy', '--json']);
    await expect.poll(err, PATIENT).toContain('at work');
    child.kill('SIGINT');
    const { status, out } = await ended;
    expect({ status, ...JSON.parse(out) }).toMatchObject({
      status: 130,
      error: { code: 'E_ABORTED' },
      deploys: [{ outcome: 'aborted' }],
    });
  });

  it('twice leaves the operation to the controller, and says how to follow it', async () => {
    let finish = () => {};
    api.service.work.deploy = async ({ emit }) => {
      emit({ status: 'info', action: 'stage', text: 'at work' });
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { deploys: [aDeploy] };
    };
    const { child, ended, err } = start(['deploy']);
    await expect.poll(err, PATIENT).toContain('at work');
    child.kill('SIGINT');
    await expect.poll(err, PATIENT).toContain('stopping');
    child.kill('SIGINT');
    const left = await ended;
    expect(left.status).toBe(130);
    const [running] = api.operations.running();
    expect(left.err).toContain(`sl deploy --attach ${running?.id}`);
    const attached = start(['deploy', '--attach', running?.id ?? '']);
    await expect.poll(attached.err, PATIENT).toContain('at work');
    finish();
    expect(await attached.ended).toMatchObject({ status: 0, out: expect.stringContaining('is active') });
  });

  it('a controller that dies meanwhile is an error that says how to go on, status 1', async () => {
    api.service.work.deploy = async ({ emit, signal }) => {
      emit({ status: 'info', action: 'stage', text: 'at work' });
      await aborted(signal);
    };
    const { ended, err } = start(['deploy', '--json']);
    await expect.poll(err, PATIENT).toContain('at work');
    await api.cut();
    const { status, out } = await ended;
    expect({ status, ...JSON.parse(out) }).toMatchObject({
      status: 1,
      deploys: [],
      error: { code: 'E_CONTROLLER', message: expect.stringContaining('--attach deploy-') },
    });
  });
});

it('a controller in the foreground is started as one in the background is, and ended as one', async () => {
  const { child, ended } = start(['controller', 'run']);
  const pid = async () => JSON.parse((await run('controller', 'status', '--json')).out).pid;
  await expect.poll(pid, PATIENT).toBeGreaterThan(0);
  const found = await pid();
  expect(await readFile(`/proc/${found}/cmdline`, 'utf8')).toContain('--expose-gc');
  expect(await readFile(`/proc/${found}/environ`, 'utf8')).toContain('MALLOC_ARENA_MAX');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ status: 0 });
});
