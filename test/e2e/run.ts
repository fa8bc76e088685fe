/** Runs the end-to-end tests: sees to what they need, clears what a killed run left, and leaves nothing itself. */
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { clearState, installPackages, useState } from './support/machine.ts';

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
  await clearState();
  try {
    return await runVitest(args);
  } finally {
    await clearState();
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
  // Ctrl-C reaches vitest by the terminal; this process stays to clear up after it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((done) => child.on('close', (code) => done(code ?? 1)));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main(process.argv.slice(2));
