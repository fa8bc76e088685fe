import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exec, exists, linkDurable } from '@silverlining/system';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AgentPaths, agentPaths } from '../core/paths.ts';
import { armGuard, bundleFile, countCrash, recordFile, rollBackTo, takeBack } from './update-guard.ts';

let root: string;
let paths: AgentPaths;
let restarts = 0;
const host = {
  later: async () => undefined,
  reloadUnits: async () => undefined,
  restartAgent: async () => {
    restarts += 1;
  },
};

/** Where `id` is the update from `old` to `new`, with a unit file, that has just been made. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sl-guard-'));
  paths = agentPaths(root);
  restarts = 0;
  await mkdir(dirname(bundleFile(paths, 'old')), { recursive: true });
  await mkdir(dirname(paths.unit), { recursive: true });
  await writeFile(bundleFile(paths, 'old'), 'console.log(...process.argv.slice(2))');
  await armGuard(paths, { digest: 'old', id: 'id' }, host);
  await recordFile(paths).write({ previous: 'old', next: 'new', starts: 0, id: 'id', before: { unit: 'old unit' } });
  await put('new');
});
afterEach(() => rmSync(root, { recursive: true }));

async function put(bundle: string): Promise<void> {
  await writeFile(paths.unit, `${bundle} unit`);
  await linkDurable(paths.bundleLink, `agent/${bundle}/agent.js`);
}

const current = async () => ({
  bundle: (await readlink(paths.bundleLink)).split('/')[1],
  unit: await readFile(paths.unit, 'utf8'),
});
const OLD = { bundle: 'old', unit: 'old unit' };
const crash = () => countCrash(paths, 'id', host);

it('a new agent that crashes is taken back the third time, and nothing is left for the timer', async () => {
  expect([await crash(), await crash()]).toEqual([false, false]);
  expect(await current()).toEqual({ bundle: 'new', unit: 'new unit' });
  expect(await crash()).toBe(true);
  expect(await current()).toEqual(OLD);
  expect(await exists(paths.crashScript)).toBe(false);
  expect([await takeBack(paths, 'id', host), await crash()]).toEqual([false, false]);
  // Systemd starts it again, as after any crash.
  expect(restarts).toBe(0);
});

it('what was cut off while it took one back does the rest after the next crash', async () => {
  await crash();
  await crash();
  const isCut = { ...host, reloadUnits: () => Promise.reject(new Error('cut off')) };
  await expect(countCrash(paths, 'id', isCut)).rejects.toThrow('cut off');
  await put('new');
  expect(await crash()).toBe(true);
  expect(await current()).toEqual(OLD);
});

it('nothing leads to a bundle that is gone, since the node was set up anew', async () => {
  rmSync(dirname(bundleFile(paths, 'old')), { recursive: true });
  await rollBackTo(paths, recordFile(paths), host);
  expect(await current()).toEqual({ bundle: 'new', unit: 'new unit' });
  expect(await recordFile(paths).read()).toBeUndefined();
});

it('both ways back may act together', async () => {
  await crash();
  await crash();
  await Promise.all([takeBack(paths, 'id', host), crash()]);
  expect(await current()).toEqual(OLD);
  expect(await recordFile(paths).read()).toBeUndefined();
});

it('a crash of another update counts for nothing', async () => {
  for (let i = 0; i < 3; i++) expect(await countCrash(paths, 'another', host)).toBe(false);
  expect(await recordFile(paths).read()).toMatchObject({ id: 'id', starts: 0 });
  expect(await current()).toMatchObject({ bundle: 'new' });
});

it('what the unit runs calls the bundle before after a crash, and not where the agent was told to end', async () => {
  const run = async (result: string) =>
    (await exec([paths.crashScript], { env: { SERVICE_RESULT: result } })).stdout.trim();
  for (const result of ['exit-code', 'signal', 'watchdog']) expect(await run(result)).toBe('--crashed id');
  expect(await run('success')).toBe('');
  const unit = await readFile(new URL('../../../../bootstrap/silver-agent.service', import.meta.url), 'utf8');
  expect(unit).toContain(`\nExecStopPost=-${agentPaths().crashScript}\n`);
});
