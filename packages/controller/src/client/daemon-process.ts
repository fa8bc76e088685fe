import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ControllerInfo, SlError } from '@silverlining/protocol';
import { shellQuote } from '../core/bootstrap/shell-quote.ts';
import { apiSocketPath, hasSocketDirectory } from '../io/api-socket.ts';
import { ALREADY_RUNNING_STATUS, readDaemonFile } from '../io/daemon.ts';
import { type Directories, makeDirectories } from '../io/directories.ts';
import { identifyProcess, isRunning, type ProcessIdentity } from '../io/process-identity.ts';
import { STOPPING } from '../service.ts';
import { ControllerClient } from './client.ts';
import { daemonCommand } from './daemon-environment.ts';
import { daemonLogPath, openDaemonLog, readLog } from './daemon-log.ts';
import { shareSshAgent } from './ssh-agent.ts';

export interface DaemonOptions {
  directories: Directories;
  /** The script that `daemon` is passed to. */
  entry: string;
  /** Version of the caller, which the daemon has to have too. */
  version: string;
  env?: NodeJS.ProcessEnv;
}

export interface Connected {
  client: ControllerClient;
  info: ControllerInfo;
  /** Whether this call started it. */
  started: boolean;
}

/** A machine with much to do may need this long; a controller that fails ends, and is not waited for. */
const START_MS = 30_000;
const STOP_MS = 30_000;
const POLL_MS = 20;
const LOG_LINES = 25;
/** Nobody listens, or who did is just ending. */
const ABSENT = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', STOPPING]);

/** The script of the controller's own daemon, also for a program that has this file bundled. */
export function daemonEntry(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@silverlining/controller')), 'start.ts');
}

/**
 * The running controller of the state directory, started when there is none, restarted when it is of another version. It uses
 * the caller's SSH agent from now on.
 */
export async function connectController(options: DaemonOptions): Promise<Connected> {
  const connected = await findOrStart(options);
  await shareSshAgent(options.directories.state, options.env ?? process.env);
  return connected;
}

async function findOrStart(options: DaemonOptions): Promise<Connected> {
  const running = await findController(options.directories.state);
  if (running === undefined) return startController(options);
  if (running.info.version === options.version) return { ...running, started: false };
  await replaceController(running, options);
  return startController(options);
}

/**
 * The running controller; undefined when there is none. E_CONTROLLER when there is one that does not answer within
 * `patience` milliseconds, or when another user may be the one who answers.
 */
export async function findController(
  stateDir: string,
  patience?: number,
): Promise<Omit<Connected, 'started'> | undefined> {
  const file = readDaemonFile(stateDir);
  const socketPath = file?.socket ?? apiSocketPath(stateDir);
  if (!(await hasSocketDirectory(socketPath))) return undefined;
  const client = new ControllerClient(socketPath);
  try {
    return { client, info: await client.info({ patience }) };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (isOthers(error)) throw othersController(stateDir, error);
    const who = file === undefined ? 'the controller' : `the controller (pid ${file.pid})`;
    throw new SlError('E_CONTROLLER', `${who} does not answer: sl controller stop --force ends it`, { cause: error });
  }
}

/**
 * Stops the controller and waits until its process is gone; false when there was none. E_BUSY while an operation runs.
 * `force` cancels operations, and kills a controller that does not answer or end.
 */
export async function stopController(
  stateDir: string,
  { force = false, patience }: { force?: boolean; patience?: number } = {},
): Promise<boolean> {
  const file = readDaemonFile(stateDir);
  try {
    const running = await findController(stateDir, patience);
    await running?.client.shutdown(force).catch(unlessAbsent);
    const it = file ?? (running && identifyProcess(running.info.pid));
    // One that does not answer any more may be there all the same.
    if (running === undefined && (it === undefined || !isRunning(it))) return false;
    if (await goneWithin(it, STOP_MS)) return true;
  } catch (error) {
    if (!force || !(error instanceof SlError) || error.code !== 'E_CONTROLLER' || isOthers(error)) throw error;
  }
  if (force && file !== undefined) return killController(file);
  throw new SlError(
    'E_CONTROLLER',
    `the controller still runs after ${STOP_MS / 1000} s: sl controller stop --force ends it`,
  );
}

/** Everything that it must not forget is durable at any moment, so it may be killed. */
async function killController(it: ProcessIdentity): Promise<boolean> {
  if (isRunning(it)) process.kill(it.pid, 'SIGKILL');
  return goneWithin(it, STOP_MS);
}

async function replaceController(running: Omit<Connected, 'started'>, { directories, version }: DaemonOptions) {
  try {
    await stopController(directories.state);
  } catch (cause) {
    if (!(cause instanceof SlError) || cause.code !== 'E_BUSY') throw cause;
    throw new SlError(
      'E_BUSY',
      `this is sl ${version} and the running controller is ${running.info.version}; it is replaced when it is idle, but now ${cause.message}`,
      { cause, details: cause.details },
    );
  }
}

async function startController(options: DaemonOptions): Promise<Connected> {
  const { state } = options.directories;
  await makeDirectories(options.directories);
  const deadline = performance.now() + START_MS;
  let { child, logFrom } = spawnDaemon(options);
  while (performance.now() < deadline) {
    const running = await findController(state);
    if (running !== undefined) {
      // One that came too late would take over when the one that answers ends, asked for by nobody.
      if (running.info.pid !== child.pid) child.kill();
      return { ...running, started: running.info.pid === child.pid };
    }
    if (hasFailed(child)) {
      throw startError(state, `it ended with ${child.signalCode ?? `exit status ${child.exitCode}`}`, logFrom);
    }
    await sleep(POLL_MS);
    // The one that was at work may have been about to end, so it is tried again until one of them answers.
    if (child.exitCode === ALREADY_RUNNING_STATUS) ({ child, logFrom } = spawnDaemon(options));
  }
  throw startError(state, `it does not answer after ${START_MS / 1000} s`, logFrom);
}

function spawnDaemon({ directories, entry, env = process.env }: DaemonOptions): {
  child: ChildProcess;
  logFrom: number;
} {
  const log = openDaemonLog(directories.state);
  const command = daemonCommand(entry, env, directories);
  // `detached` is setsid: neither the terminal's Ctrl-C nor its end reaches the daemon.
  const child = spawn(process.execPath, command.args, {
    detached: true,
    stdio: ['ignore', log.descriptor, log.descriptor],
    cwd: directories.state,
    env: command.env,
  });
  // The exit status tells of a failed start; without a listener the error event would end this process.
  child.on('error', () => undefined);
  child.unref();
  closeSync(log.descriptor);
  return { child, logFrom: log.length };
}

/** One that found another at work did not fail. */
function hasFailed(child: ChildProcess): boolean {
  if (child.pid === undefined) return true;
  return child.signalCode !== null || (child.exitCode !== null && child.exitCode !== ALREADY_RUNNING_STATUS);
}

function startError(stateDir: string, why: string, logFrom: number): SlError {
  const path = daemonLogPath(stateDir);
  const log = readLog(path, logFrom).lines.slice(-LOG_LINES);
  return new SlError('E_CONTROLLER', `the controller could not be started: ${why} (its log: ${path})`, {
    details: { log },
  });
}

async function goneWithin(it: ProcessIdentity | undefined, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (it !== undefined && isRunning(it)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

function othersController(stateDir: string, cause: SlError): SlError {
  const text =
    `${stateDir} has files of another user, as sudo -E sl leaves them, so that its controller cannot be asked. Use sl as that user; or stop ` +
    `that controller (sudo -E sl controller stop), then take over what it left: sudo chown -R "$(id -u):$(id -g)" ${shellQuote(stateDir)}`;
  return new SlError('E_CONTROLLER', text, { cause, details: { reason: cause.details.reason } });
}

function unlessAbsent(error: unknown): void {
  if (!isAbsent(error)) throw error;
}

function isAbsent(error: unknown): boolean {
  return error instanceof SlError && ABSENT.has(String(error.details.reason));
}

function isOthers(error: unknown): error is SlError {
  return error instanceof SlError && error.details.reason === 'EACCES';
}
