/**
 * Runs a script under Node 24, the one runtime of this project: `node bootstrap/node24.js SCRIPT ARGS...`.
 * Plain JavaScript that any Node from 18 on can parse, since its purpose is to leave that Node.
 */
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { pathToFileURL } from 'node:url';

const WANTED_MAJOR = 24;

/** Whether this process needs no other Node. */
export function isNode24() {
  return Number(process.versions.node.split('.')[0]) >= WANTED_MAJOR;
}

/** The path of a Node 24 binary: this process's own when it is new enough, else the npm package's. */
function node24Path() {
  if (isNode24()) return process.execPath;
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
  // A terminal's Ctrl-C reaches the whole process group, the child included: handed on, it would arrive twice, and the
  // second one means "leave at once". A signal that was sent to this process alone has to be handed on.
  const handedOn = process.stdin.isTTY ? ['SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM', 'SIGHUP'];
  process.on('SIGINT', () => {});
  for (const signal of handedOn) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}

function fail(error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

// Compared as URLs, which a path with a # or % in it is not yet: nothing would run, and `npm test` would pass.
if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  try {
    runUnderNode24(process.argv.slice(2));
  } catch (error) {
    fail(error);
  }
}
