/** Runs the end-to-end tests: sees to what they need, clears what a killed run left, and leaves nothing itself. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findDirectories, makeDirectories } from '../../packages/controller/src/io/directories.ts';
import { installHostPackages, missingHostPackages } from '../../packages/controller/src/io/host-packages.ts';
import { LocalProvider } from '../../packages/controller/src/io/provider/local.ts';
import { sl } from './support/sl.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Images and packages are kept from run to run; the state is not. */
const BASE = '/var/tmp/silverlining-e2e';

async function main(args: readonly string[]): Promise<number> {
  if (process.getuid?.() !== 0) {
    say('the end-to-end tests start real nodes and need root: run them with sudo');
    return 1;
  }
  process.env.XDG_STATE_HOME = join(BASE, 'state');
  process.env.XDG_CACHE_HOME = join(BASE, 'cache');
  await mkdir(BASE, { recursive: true });
  await makeDirectories(findDirectories());
  await installPackages();
  await clear();
  try {
    return await runVitest(args);
  } finally {
    await clear();
  }
}

async function installPackages(): Promise<void> {
  const missing = await missingHostPackages();
  if (missing.length === 0) return;
  say(`the end-to-end tests need ${missing.join(', ')}: installing`);
  await installHostPackages(say, AbortSignal.timeout(15 * 60_000));
}

/** Ends the controller and destroys every node of this state, however they were left. */
async function clear(): Promise<void> {
  await sl(['controller', 'stop', '--force']);
  const directories = findDirectories();
  const provider = new LocalProvider(directories);
  const signal = AbortSignal.timeout(120_000);
  for (const id of await readdir(join(directories.state, 'local/nodes')).catch(() => []))
    await provider.destroy(id, signal);
  await provider.cleanUp('any', signal);
  await rm(directories.state, { recursive: true, force: true });
  await makeDirectories(directories);
}

function runVitest(args: readonly string[]): Promise<number> {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const argv = [vitest, 'run', '--project', 'e2e', '--reporter', 'verbose', ...reporter(), ...args];
  const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: 'inherit' });
  // Ctrl-C reaches vitest by the terminal; this process stays to clear up after it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((done) => child.on('close', (code) => done(code ?? 1)));
}

function reporter(): string[] {
  return ['--reporter', join(ROOT, 'test/summary-reporter.ts')];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main(process.argv.slice(2));
