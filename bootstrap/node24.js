/**
 * Runs a script under Node 24, the one runtime of this project: `node bootstrap/node24.js SCRIPT ARGS...`.
 * Plain JavaScript that any Node from 18 on can parse, since its purpose is to leave that Node.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

const WANTED_MAJOR = 24;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The path of a Node 24 binary: this process's own when it is new enough, else the npm package's. */
export function node24Path() {
  if (Number(process.versions.node.split('.')[0]) >= WANTED_MAJOR) return process.execPath;
  const name = `node-linux-${process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/node`);
  } catch {
    throw new Error(
      `sl needs Node ${WANTED_MAJOR}: this is ${process.version}, and the npm package ${name} is not installed (run npm ci without --omit=optional)`,
    );
  }
}

/** Runs `args` under Node 24 with this process's stdio, and exits as it exits. */
export function runUnderNode24(args) {
  const child = spawn(node24Path(), args, { stdio: 'inherit' });
  // The terminal signals the whole process group; a signal sent to this pid alone has to be handed on.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === 'SIGINT' ? 2 : 15);
  });
}

function fail(error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

if (process.argv[1] && import.meta.url === new URL(`file://${process.argv[1]}`).href) {
  try {
    runUnderNode24(process.argv.slice(2));
  } catch (error) {
    fail(error);
  }
}
