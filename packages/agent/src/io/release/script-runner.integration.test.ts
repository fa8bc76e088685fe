import { existsSync, rmSync } from 'node:fs';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec } from '@silverlining/system';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { scriptCommand } from '../../core/release/script-command.ts';
import { createScriptRunner } from './script-runner.ts';

const { signal } = new AbortController();
const { run } = createScriptRunner(process.execPath);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-script-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const script = (user: string, env: Record<string, string>, ...argv: string[]) => ({
  ...{ argv, env, user, cwd: folder, timeout: 10_000, code: 'E_UPDATE_FETCH' as const },
});

it('takes what it needs to become the user from the system, whatever the app has as its PATH', async () => {
  const planted = join(folder, 'setpriv');
  await writeFile(planted, `#!/bin/sh\n/usr/bin/touch ${folder}/was-run\n`);
  await chmod(planted, 0o755);
  // Who is not root may not become another user.
  await run(script('daemon', { PATH: folder }, '/bin/true'), signal).catch(() => undefined);
  expect(existsSync(join(folder, 'was-run'))).toBe(false);
});

it('shows no variable of the app to what is root, and none to everybody in argv', () => {
  const { argv, env } = scriptCommand(script('app-blog', { PATH: '/srv', LD_PRELOAD: '/srv/x.so', KEY: 'secret' }));
  expect(Object.keys(env)).toEqual(['PATH']);
  expect(`${argv.join(' ')} ${env.PATH}`).not.toMatch(/srv|secret/);
});

it('gives the program all variables as they are, and no input', async () => {
  const given = { PATH: '/srv', LD_BIND_NOW: '1', KEY: `a"b'c\\d$HOME\`e\` \\\n\tü\n` };
  const print = 'console.log(JSON.stringify([process.env, fs.readFileSync(0, "utf8"), process.argv.slice(1)]))';
  const { argv, env, input } = scriptCommand(script('app-blog', given, process.execPath, '-e', print, 'a b', '$c'));
  const unprivileged = argv.slice(argv.indexOf('--') + 1);
  const { stdout } = await exec(unprivileged, { env, input });
  expect(JSON.parse(stdout)).toEqual([expect.objectContaining(given), '', ['a b', '$c']]);
});

it('a program that runs as root finds others, libraries and settings where only root can write', async () => {
  const env = { PATH: '/srv', LD_LIBRARY_PATH: '/srv', HOME: '/srv', TEMP: '/srv', TMPDIR: '/srv', KEY: 'value' };
  expect((await run(script('root', env, '/usr/bin/env'), signal)).sort()).toEqual([
    'HOME=/root',
    'KEY=value',
    expect.stringMatching(/^PATH=\/usr\/local\/sbin:/),
  ]);
});

it('is named in errors without what starts it', async () => {
  const failing = run(script('daemon', {}, '/bin/false', '--now'), signal);
  await expect(failing).rejects.toMatchObject({ message: expect.stringMatching(/^\/bin\/false --now failed with/) });
});
