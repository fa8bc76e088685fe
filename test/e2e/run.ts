/** Runs the end-to-end tests: sees to what they need, clears what a killed run left, and leaves nothing itself. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { buildImages, clearRun, installPackages, useState } from './support/machine.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** Images and packages are kept from run to run; the state is not. */
const BASE = '/var/tmp/silverlining-e2e';

async function main(args: readonly string[]): Promise<number> {
  if (process.getuid?.() !== 0) {
    say('the end-to-end tests start real nodes and need root: run them with sudo');
    return 1;
  }
  await useState(BASE);
  await installPackages('the end-to-end tests', say);
  await clearRun(BASE);
  try {
    say('building the images of local nodes, where they are not built yet');
    await buildImages();
    return await runVitest(args);
  } finally {
    await clearRun(BASE);
  }
}

function runVitest(args: readonly string[]): Promise<number> {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const reporters = [
    'verbose',
    join(ROOT, 'test/e2e/support/failure-reporter.ts'),
    join(ROOT, 'test/summary-reporter.ts'),
  ];
  const argv = [vitest, 'run', '--project', 'e2e', ...reporters.flatMap((it) => ['--reporter', it]), ...args];
  const child = spawn(process.execPath, argv, { cwd: ROOT, stdio: 'inherit' });
  // It ends at once and leaves its workers to themselves; this process stays to end them and to clear up.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((done) => {
    child.on('close', (code, signal) => done(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main(process.argv.slice(2));
