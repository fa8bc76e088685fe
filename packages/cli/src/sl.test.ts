/** The `sl` command as a process, against the real API with a fake service behind it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SlError, VERSION } from '@silverlining/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ApiFixture, aborted, startApiFixture } from '../../../test/fakes/api-fixture.ts';
import { aDeploy, aPlan, aStatus } from '../../../test/fakes/fake-service.ts';
import { OperationFailed } from '../../controller/src/service.ts';
import { main } from './main.ts';

const sl = fileURLToPath(new URL('../bin/sl', import.meta.url));
const INI = `[general]\nname = shop\n[provider]\nprovider = local\n[appserver]\nlocations =\n  http://shop.example/ blog\n[app:blog]\ndir = blog\n`;
let home: string;
let api: ApiFixture;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'sl-cli-'));
  await mkdir(join(home, 'blog'));
  await writeFile(join(home, 'blog/app.ini'), '[production]\napp_name = blog\nplatform = static\n');
  await writeFile(join(home, 'silver.ini'), INI);
  // The first one compiles for all others.
  await run('--help');
});
afterAll(() => rm(home, { recursive: true, maxRetries: 10 }));

interface Ended {
  status: number | null;
  out: string;
  err: string;
}

/** With a Node in front that `sl` can run on, not the machine's, which only has to find that one. */
const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;

function start(args: string[], path = PATH): { child: ChildProcess; ended: Promise<Ended>; err: () => string } {
  const env = { PATH: path, HOME: home, XDG_STATE_HOME: join(home, 'state') };
  const child = spawn(sl, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
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

/** In this process, for what ends before a controller is asked. */
async function runHere(args: string[]): Promise<Pick<Ended, 'status' | 'err'>> {
  let err = '';
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text;
    return true;
  });
  const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const status = await main(args);
    return { status, err };
  } finally {
    stderr.mockRestore();
    stdout.mockRestore();
  }
}

describe('without a controller', () => {
  it.concurrent('tells its version and its commands, whatever Node the machine has', async () => {
    const onMachines = start(['--version'], process.env.PATH).ended;
    expect(await onMachines).toEqual({ status: 0, out: `${VERSION}\n`, err: '' });
    expect(await run('logs', '--help')).toMatchObject({ status: 0, out: expect.stringContaining('Examples:') });
  });

  it.concurrent('gives wrong usage as JSON, too', async () => {
    const { status, out } = await run('status', '--wach', '--json');
    expect(status).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: 'E_USAGE' } });
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
    await writeFile(join(home, 'bad.ini'), INI.replace('[appserver]', '[appserver]\nnods = 2\nsise = 1'));
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

  it('says that no controller runs', async () => {
    const { status, out } = await run('controller', 'status', '--json');
    expect({ status, ...JSON.parse(out) }).toMatchObject({ status: 0, ok: true, running: false });
    expect(JSON.parse((await run('controller', 'stop', '--json')).out)).toMatchObject({ ok: true, stopped: false });
  });
});

describe('wrong usage', () => {
  const before = process.cwd();
  beforeAll(() => {
    process.chdir(home);
    vi.stubEnv('HOME', home);
  });
  afterAll(() => {
    process.chdir(before);
    vi.unstubAllEnvs();
  });

  it.each([
    [['chek'], 'Did you mean check?'],
    [['status', '--wach'], 'Did you mean --watch?'],
    [['logs', '-n', 'many'], 'whole number'],
    [['logs', 'silver.ini'], '--file FILE'],
    [['deploy', 'blgo'], 'did you mean blog?'],
    [['plan', '-f', 'gone.ini'], 'gone.ini'],
    [['rollback', 'blog', '--to', 'shop.20260131_001'], 'is no instance of blog'],
    [['status', '--watch', '--json'], 'exclude each other'],
    [['logs', '--node', '$(id)'], 'invalid node name "$(id)"'],
    [['logs', '--node=-oProxyCommand=x'], 'invalid node name "-oProxyCommand=x"'],
    [['logs', '../x'], 'invalid app name'],
    [['down', '--set', 'a b', '--yes'], 'invalid set name'],
    [['rollback', '--to', '$(id)'], 'invalid instance name'],
    [[], 'Usage: sl'],
  ])('refuses %j with status 2', async (args, message) => {
    expect(await runHere(args)).toMatchObject({ status: 2, err: expect.stringContaining(message) });
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

  it('up without changes asks nothing', async () => {
    api.service.plan$ = { ...aPlan, steps: [], changes: 0 };
    expect(await run('up')).toMatchObject({ status: 0, out: expect.stringContaining('blog.20260131_002 is active') });
    expect(api.service.asked.at(-1)).toMatchObject({ request: { installHostPackages: false } });
  });

  it('a failed deploy gives its record, node and log, status 1', async () => {
    const error = new SlError('E_APP_CRASHED', 'it exited with 1', { details: { node: 'app2', log: ['Traceback'] } });
    const record = {
      ...aDeploy,
      outcome: 'aborted',
      error: { code: error.code, message: error.message, node: 'app2' },
    };
    api.service.work.deploy = async ({ emit }) => {
      emit({ status: 'failed', action: 'stage', node: 'app2', text: 'crashed' });
      throw new OperationFailed(error, { deploys: [record] });
    };
    const { status, out, err } = await run('deploy', 'blog', '--json');
    expect({ status, ...JSON.parse(out) }).toMatchObject({
      status: 1,
      ok: false,
      deploys: [record],
      error: { code: 'E_APP_CRASHED', node: 'app2' },
    });
    expect(err).toMatch(/app2: failed: crashed\nerror: app2: it exited with 1 \[E_APP_CRASHED\]\n {2}\| Traceback\n$/);
    api.service.work.deploy = async () => ({ deploys: [record] });
    expect(await run('deploy')).toMatchObject({ status: 1, out: expect.stringContaining('was given up') });
  });

  it('rollback, status, deploys and logs need no more than the set’s name', async () => {
    const named = ['--set', 'gone'];
    expect(await run('rollback', '--to', 'blog.20260131_001', ...named)).toMatchObject({ status: 0 });
    expect(api.service.asked.at(-1)).toMatchObject({
      verb: 'rollback',
      request: { set: 'gone', app: 'blog', to: 'blog.20260131_001', by: expect.stringMatching(/^.+@.+$/) },
    });
    expect(JSON.parse((await run('status', '--json', ...named)).out)).toEqual({ ok: true, ...aStatus });
    expect(await run('deploys', 'show', 'deploy-1', ...named)).toMatchObject({
      status: 0,
      out: expect.stringContaining('deploy-1.blog: done'),
    });
    expect(api.service.asked.at(-1)).toEqual({ verb: 'deploys', request: { set: 'gone', id: 'deploy-1' } });
    expect(await run('deploys', ...named)).toMatchObject({ status: 0, out: expect.stringContaining('deploy-1.blog') });
    expect((await run('logs', 'blog', '-n', '2', ...named)).out).toMatch(
      /app1\.shop\.internal blog: listening\n.*GET \/ 200\n$/,
    );
    expect(JSON.parse((await run('logs', '--json', ...named)).out)).toMatchObject({
      set: 'gone',
      lines: [{ text: 'listening' }, {}],
    });
    expect(
      (await run('logs', '-f', '--json', ...named)).out
        .trim()
        .split('\n')
        .map((it) => JSON.parse(it).source),
    ).toEqual(['blog', 'blog']);
  });

  it('down of a set that does not exist is done', async () => {
    api.service.status = () => Promise.reject(new SlError('E_NOT_FOUND', 'no such set'));
    expect(await run('down')).toMatchObject({ status: 0, out: expect.stringContaining('nothing to destroy') });
    expect(api.operations.running()).toEqual([]);
  });

  it('a busy set is refused with who is at work, status 3', async () => {
    api.service.work.deploy = () =>
      Promise.reject(new SlError('E_BUSY', 'up is running; follow it with: sl deploy --attach up-1'));
    expect(await run('deploy')).toMatchObject({ status: 3, err: expect.stringContaining('--attach up-1') });
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
    await expect.poll(err, { timeout: 5000 }).toContain('at work');
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
    await expect.poll(err, { timeout: 5000 }).toContain('at work');
    child.kill('SIGINT');
    await expect.poll(err, { timeout: 5000 }).toContain('stopping');
    child.kill('SIGINT');
    const left = await ended;
    expect(left.status).toBe(130);
    const [running] = api.operations.running();
    expect(left.err).toContain(`sl deploy --attach ${running?.id}`);
    const attached = start(['deploy', '--attach', running?.id ?? '']);
    await expect.poll(attached.err, { timeout: 5000 }).toContain('at work');
    finish();
    expect(await attached.ended).toMatchObject({ status: 0, out: expect.stringContaining('is active') });
  });

  it('a controller that dies meanwhile is an error that says how to go on, status 1', async () => {
    api.service.work.deploy = async ({ emit, signal }) => {
      emit({ status: 'info', action: 'stage', text: 'at work' });
      await aborted(signal);
    };
    const { ended, err } = start(['deploy', '--json']);
    await expect.poll(err, { timeout: 5000 }).toContain('at work');
    await api.cut();
    const { status, out } = await ended;
    expect({ status, ...JSON.parse(out) }).toMatchObject({
      status: 1,
      deploys: [],
      error: { code: 'E_CONTROLLER', message: expect.stringContaining('--attach deploy-') },
    });
  });
});
