import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkAppConfig } from './config-checker.ts';
import { APP } from './store/contract-records.ts';

let dir: string;
const { signal } = new AbortController();

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sl-checker-'));
  await mkdir(`${dir}/bin`);
  await mkdir(`${dir}/config`);
});
afterEach(() => rm(dir, { recursive: true }));

async function checker(text: string): Promise<void> {
  await writeFile(`${dir}/bin/check`, `#!/bin/sh\n${text}\n`);
  await chmod(`${dir}/bin/check`, 0o755);
}

const app = (argv = ['check', '--strict']) => ({ ...APP, dir, config: `${dir}/config`, configChecker: argv });

it('runs in the folder of the app and is told where the configuration is', async () => {
  await writeFile(`${dir}/config/site.ini`, '');
  await checker('[ "$1" = --strict ] && [ -f bin/check ] && [ -f "$SILVER_APP_CONFIG/site.ini" ]');
  await checkAppConfig(app(), signal);
});

it('stops with what it printed', async () => {
  await checker('echo "site.ini has no title" >&2; exit 3');
  const log = ['site.ini has no title'];
  await expect(checkAppConfig(app(), signal)).rejects.toMatchObject({
    code: 'E_APP_CONFIG',
    message: expect.stringMatching(/config\.checker refuses .*exit status 3: site\.ini has no title/),
    details: { app: APP.name, log },
  });
});

it('says so when there is no such program', async () => {
  await expect(checkAppConfig(app(['no-such-checker']), signal)).rejects.toMatchObject({
    code: 'E_APP_CONFIG',
    message: expect.stringContaining('no-such-checker could not be started'),
  });
});

it('does not wait for ever', async () => {
  await checker('exec sleep 60');
  await expect(checkAppConfig(app(), signal, 100)).rejects.toMatchObject({
    code: 'E_APP_CONFIG',
    message: expect.stringContaining('did not finish in 0.1 s'),
  });
});

it('has nothing to do without a checker or without a configuration', async () => {
  await checker('exit 1');
  await checkAppConfig({ ...APP, dir, config: `${dir}/config` }, signal);
  await checkAppConfig({ ...APP, dir, configChecker: ['check'] }, signal);
});
