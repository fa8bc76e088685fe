/** Commands in this process, against the real API with a fake service behind it. `sl.integration.test.ts` starts `sl` itself. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlError, VERSION } from '@silverlining/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { CLI_INI, createCliHome } from '../../../test/builders/cli-home.ts';
import { type ApiFixture, startApiFixture } from '../../../test/fakes/api-fixture.ts';
import { aDeploy, aPlan, aStatus } from '../../../test/fakes/fake-service.ts';
import { OperationFailed } from '../../controller/src/service.ts';
import { main } from './main.ts';

const before = process.cwd();
let home: string;

beforeAll(async () => {
  home = await createCliHome();
  process.chdir(home);
  vi.stubEnv('HOME', home);
  vi.stubEnv('XDG_STATE_HOME', join(home, 'state'));
});
afterAll(async () => {
  process.chdir(before);
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

/** Runs a command, and resolves with its exit status and what it wrote. */
async function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const text = { out: '', err: '' };
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((part) => {
    text.err += part;
    return true;
  });
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((part) => {
    text.out += part;
    return true;
  });
  try {
    return { status: await main(args), ...text };
  } finally {
    stderr.mockRestore();
    stdout.mockRestore();
  }
}

describe('wrong usage', () => {
  it.each([
    [['chek'], 'Did you mean check?'],
    [['help', 'foo'], "unknown command 'foo'"],
    [['help', 'chek'], 'Did you mean check?'],
    [['help', 'controller', 'strt'], 'Did you mean start?'],
    [['status', '--wach'], 'Did you mean --watch?'],
    [['logs', '-n', 'many'], 'whole number'],
    [['deploy', '--attach', 'deploy-1', '--watch'], "'--attach <id>' cannot be used with option '--watch'"],
    [['logs', '-n', ''], 'whole number'],
    [['logs', '-n', '0x10'], 'whole number'],
    [['deploys', 'shwo'], 'Did you mean show?'],
    [['deploys', 'deploy-1'], "unknown command 'deploy-1'"],
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
    expect(await run(...args)).toMatchObject({ status: 2, err: expect.stringContaining(message) });
  });

  it('is given as JSON, too', async () => {
    const { status, out } = await run('status', '--wach', '--json');
    expect(status).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: 'E_USAGE' } });
  });

  it.each([[['--json']], [['controller', '--json']]])('%j says as JSON what is missing', async (args) => {
    const { status, out } = await run(...args);
    expect(status).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: 'E_USAGE', message: 'no command was given' } });
  });
});

it.each([
  [['help'], 'Usage: sl [options]'],
  [['help', 'controller', 'start'], 'Usage: sl controller start'],
  [['controller', 'help', 'start'], 'Usage: sl controller start'],
])('%j shows what is asked for', async (args, usage) => {
  expect(await run(...args)).toMatchObject({ status: 0, out: expect.stringContaining(usage) });
});

it('shows what is in the file without acting on the terminal', async () => {
  await writeFile(join(home, 'coloured.ini'), CLI_INI.replace('dir = blog', 'dir = \u001b[31mred'));
  const { out } = await run('check', '--resolved', '--file', 'coloured.ini');
  expect(out).toContain('[app:blog] dir = red');
});

it('says that the current directory is gone, status 1', async () => {
  const cwd = vi.spyOn(process, 'cwd').mockImplementation(() => {
    throw Object.assign(new Error('uv_cwd'), { code: 'ENOENT' });
  });
  onTestFinished(() => cwd.mockRestore());
  const { status, out, err } = await run('version', '--json');
  expect({ status, err }).toEqual({ status: 1, err: expect.stringMatching(/^error: the current directory.*\n$/) });
  expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: 'E_NOT_FOUND' } });
});

it.each([
  [['controller', 'status', '--json']],
  [['controller', '--json', 'status']],
  [['--json', 'controller', 'status']],
])('says that no controller runs: %j', async (args) => {
  const { status, out } = await run(...args);
  expect({ status, ...JSON.parse(out) }).toMatchObject({ status: 0, ok: true, running: false });
  expect(JSON.parse((await run('controller', 'stop', '--json')).out)).toMatchObject({ ok: true, stopped: false });
});

describe('with a controller', () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await startApiFixture({ directory: join(home, 'state/silverlining') });
  });
  afterEach(() => api.close());

  it('controller start and status say the same of it as JSON', async () => {
    const started = await run('controller', 'start', '--json');
    expect(JSON.parse(started.out)).toMatchObject({ ok: true, running: true, log: expect.any(String) });
    expect(JSON.parse(started.out)).toEqual(JSON.parse((await run('controller', 'status', '--json')).out));
  });

  it('up without changes asks nothing', async () => {
    api.service.plan$ = { ...aPlan, steps: [], changes: 0 };
    expect(await run('up')).toMatchObject({ status: 0, out: expect.stringContaining('blog.20260131_002 is active') });
    expect(api.service.asked.at(-1)).toMatchObject({ request: { installHostPackages: false } });
  });

  it('up has the plan carried out by the controller that there is when it was agreed to', async () => {
    const next = await startApiFixture();
    onTestFinished(() => next.close());
    const found = { version: VERSION, pid: process.pid, started: '', socket: next.socketPath };
    api.service.plan = async () => {
      await writeFile(join(api.directory, 'controller.json'), JSON.stringify(found));
      return aPlan;
    };
    expect(await run('up', '--yes')).toMatchObject({ status: 0 });
    expect(next.service.asked.map((it) => it.verb)).toEqual(['up']);
  });

  it('a failed deploy gives its record, node and log, status 1', async () => {
    const error = new SlError('E_APP_CRASHED', 'it exited with 1', { details: { node: 'app2', log: ['Traceback'] } });
    const record = {
      ...aDeploy,
      outcome: 'aborted' as const,
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

  it('logs shows what came where a node is away, with what is wrong, status 1', async () => {
    const all = api.service.logs$;
    api.service.logs$ = async (context) => {
      await all(context);
      throw new SlError('E_NODE_DISCONNECTED', 'its agent is not connected', { details: { node: 'app2' } });
    };
    const { status, out, err } = await run('logs');
    expect({ status, err }).toMatchObject({ status: 1, err: expect.stringContaining('error: app2: its agent is not') });
    expect(out).toMatch(/listening\n.*GET \/ 200\n$/);
    expect(JSON.parse((await run('logs', '--json')).out)).toMatchObject({
      ...{ ok: false, lines: [{ text: 'listening' }, {}], error: { code: 'E_NODE_DISCONNECTED', node: 'app2' } },
    });
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

  it('commands that need no more than the name say nothing of what else is in the file', async () => {
    await writeFile(join(home, 'warns.ini'), `${CLI_INI}keep = 2\nkeep = 3\n`);
    expect(await run('status', '-f', 'warns.ini')).toMatchObject({ status: 0, err: '' });
    const twice = expect.stringContaining('warning: keep is given twice');
    expect(await run('plan', '-f', 'warns.ini')).toMatchObject({ status: 0, err: twice });
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
