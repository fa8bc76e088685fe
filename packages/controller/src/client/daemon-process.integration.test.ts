import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '@silverlining/protocol';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { claimDaemon, readDaemonFile } from '../io/daemon.ts';
import { identifyProcess, isRunning } from '../io/process-identity.ts';
import { daemonEnvironment } from './daemon-environment.ts';
import { connectController, type DaemonOptions, findController, stopController } from './daemon-process.ts';

const source = fileURLToPath(new URL('../../../../test/fakes/fake-daemon.ts', import.meta.url));
/** Shared, with the daemon's program: one file, which starts in two thirds of the time that two hundred take. */
let cache: string;
let home: string;
let options: DaemonOptions;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'sl-daemon-cache-'));
  await build({
    entryPoints: [source],
    outfile: join(cache, 'daemon.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
});
afterAll(() => rm(cache, { recursive: true, maxRetries: 10 }));
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'sl-daemon-'));
  const directories = { state: join(home, 'silverlining'), cache: join(cache, 'silverlining') };
  const env = { ...process.env, XDG_STATE_HOME: home, XDG_CACHE_HOME: cache };
  options = { directories, entry: join(cache, 'daemon.mjs'), version: VERSION, env };
});
afterEach(async () => {
  await stopController(options.directories.state, { force: true });
  await rm(home, { recursive: true });
});

describe('the daemon', () => {
  it('is started once, however many want it, and found afterwards', async () => {
    const all = await Promise.all([1, 2, 3].map(() => connectController(options)));
    expect(new Set(all.map(({ info }) => info.pid)).size).toBe(1);
    expect(all.filter((it) => it.started)).toHaveLength(1);
    const again = await connectController(options);
    expect(again).toMatchObject({ started: false, info: { pid: all[0]?.info.pid } });
    expect(await findController(options.directories.state)).toBeDefined();
  });

  it('uses the SSH agent of whoever connected last', async () => {
    const link = join(options.directories.state, 'ssh-agent.sock');
    const { info } = await connectController({ ...options, env: { ...options.env, SSH_AUTH_SOCK: '/tmp/first' } });
    expect(await readFile(`/proc/${info.pid}/environ`, 'utf8')).toContain(`SSH_AUTH_SOCK=${link}\0`);
    expect(await readlink(link)).toBe('/tmp/first');
    await connectController({ ...options, env: { ...options.env, SSH_AUTH_SOCK: '/tmp/second' } });
    expect(await readlink(link)).toBe('/tmp/second');
  });

  it('stops, and leaves neither file nor socket nor lock', async () => {
    const { info } = await connectController(options);
    expect(await stopController(options.directories.state)).toBe(true);
    expect(identifyProcess(info.pid)).toBeUndefined();
    expect(readDaemonFile(options.directories.state)).toBeUndefined();
    expect(await findController(options.directories.state)).toBeUndefined();
    expect(await stopController(options.directories.state)).toBe(false);
    const claimed = await claimDaemon(options.directories.state, VERSION);
    await expect(claimDaemon(options.directories.state, VERSION)).rejects.toMatchObject({ code: 'E_CONFLICT' });
    await claimed.release();
  });

  it('that is stopping is waited for, whoever comes: one for a new one, one for its end', async () => {
    const { info, client } = await connectController(options);
    await client.shutdown(false);
    expect((await connectController(options)).info.pid).not.toBe(info.pid);
    expect(identifyProcess(info.pid)).toBeUndefined();
    const { state } = options.directories;
    await Promise.all([stopController(state), stopController(state)]);
    expect(readDaemonFile(state)).toBeUndefined();
  });

  it('that was killed is replaced', async () => {
    const { info } = await connectController(options);
    process.kill(info.pid, 'SIGKILL');
    const next = await connectController(options);
    expect(next.started).toBe(true);
    expect(next.info.pid).not.toBe(info.pid);
  });

  it('of another version is replaced', async () => {
    const old = await connectController({
      ...options,
      version: '0.0.9',
      env: { ...options.env, SILVER_FAKE_VERSION: '0.0.9' },
    });
    const { started, info } = await connectController(options);
    expect({ started, version: info.version }).toEqual({ started: true, version: VERSION });
    expect(identifyProcess(old.info.pid)).toBeUndefined();
  });

  it('of another version that is at work is left alone', async () => {
    const env = { ...options.env, SILVER_FAKE_VERSION: '0.0.9' };
    const { client } = await connectController({ ...options, version: '0.0.9', env });
    const running = client.operate('rollback', { set: 'hang' });
    await running.next();
    await expect(connectController(options)).rejects.toMatchObject({
      code: 'E_BUSY',
      message: expect.stringContaining('the running controller is 0.0.9'),
      details: { operation: expect.stringMatching(/^rollback-/) },
    });
    await running.return(undefined);
  });

  it('that cannot start says why with its log’s last lines', async () => {
    const failing = connectController({
      ...options,
      env: { ...options.env, SILVER_FAKE_FAILURE: 'the store is damaged' },
    });
    await expect(failing).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringContaining('exit status 1'),
      details: { log: ['the store is damaged'] },
    });
  });

  it('that hangs is reported, and ended by force', async () => {
    const { info } = await connectController(options);
    process.kill(info.pid, 'SIGSTOP');
    const { state } = options.directories;
    await expect(findController(state, 200)).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringContaining('--force'),
    });
    expect(await stopController(state, { force: true, patience: 200 })).toBe(true);
    expect(identifyProcess(info.pid)).toBeUndefined();
  });
});

describe('the daemon’s environment', () => {
  it('holds what it needs and nothing else', () => {
    const env = {
      HOME: '/home/ada',
      PATH: '/bin',
      SILVER_X: '1',
      XDG_STATE_HOME: '/s',
      https_proxy: 'p',
      NODE_EXTRA_CA_CERTS: '/ca.pem',
      npm_config_registry: 'r',
      npm_config_user_agent: 'npm',
      ...{ AWS_SECRET: 's', SSH_AUTH_SOCK: '/tmp/of-a-session' },
      NODE_OPTIONS: '-r x',
    };
    const set = Object.entries(daemonEnvironment(env, { state: '/s', cache: '/c' }));
    const kept = set.filter(([name]) => !name.startsWith('MALLOC_'));
    expect(Object.fromEntries(kept)).toEqual({
      ...{ HOME: '/home/ada', PATH: '/bin', SILVER_X: '1', XDG_STATE_HOME: '/s', https_proxy: 'p' },
      ...{ NODE_EXTRA_CA_CERTS: '/ca.pem', npm_config_registry: 'r' },
      ...{ SSH_AUTH_SOCK: '/s/ssh-agent.sock', NODE_COMPILE_CACHE: '/c/compiled' },
    });
  });
});

describe('the identity of a process', () => {
  it('tells a process that ended, and one that got its pid later', async () => {
    const child = spawn('sleep', ['600']);
    const it = identifyProcess(child.pid ?? 0);
    if (it === undefined) throw new Error('sleep did not start');
    expect(isRunning(it)).toBe(true);
    expect(isRunning({ ...it, started: 'another time' })).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isRunning(it)).toBe(false);
  });
});
