import { type ChildProcess, spawn } from 'node:child_process';
import { type ErrorCode, SlError } from '@silverlining/protocol';
import { logOf, newestLines } from './log.ts';

export interface ExecOptions {
  /** What errors call the command, where others start it; its own words when not given. */
  name?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Milliseconds until E_DEADLINE; one minute when not given. */
  deadline?: number | undefined;
  /** Milliseconds for which it may ignore SIGTERM before it is killed; three seconds when not given. */
  grace?: number | undefined;
  /** Written to standard input, which is empty without it. Secrets go here, never into argv. */
  input?: string | Uint8Array | undefined;
  cwd?: string | undefined;
  /** The whole environment of the command; this process's own when not given. */
  env?: NodeJS.ProcessEnv | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  /** Code of the error for a command that cannot start or fails; E_INTERNAL when not given. */
  code?: ErrorCode | undefined;
  /** Exit statuses that are no error beside 0; `any` for all of them. */
  allowExit?: readonly number[] | 'any' | undefined;
  /** Characters of output kept of each stream, the newest; 1 Mi when not given. */
  maxOutput?: number | undefined;
  /** Called for each whole line of standard output and standard error as it comes. */
  onLine?: ((line: string) => void) | undefined;
  /** Open files that the command inherits, as its descriptors 3, 4, ... */
  descriptors?: readonly number[] | undefined;
}

export interface ExecResult {
  stdout: string;
  stderr: string;
  /** 128 when a signal ended it. */
  exitCode: number;
}

const DEFAULT_DEADLINE = 60_000;
const DEFAULT_MAX_OUTPUT = 1 << 20;
const DEFAULT_GRACE = 3_000;
/** Milliseconds for which the pipes of a command that has ended are read on, where something that it started still holds them. */
const HELD = 500;
/** Of the last lines that a command wrote, in the message of its error. */
const MESSAGE_BYTES = 4096;

/**
 * Runs a command to its end, in a process group of its own so that stopping it leaves no grandchild. What it started and left running
 * when it ended by itself is not waited for.
 * Throws SlError: E_ABORTED (signal), E_DEADLINE, or `options.code` (cannot start, or an exit status that is not
 * allowed) with the last lines of its output in `details.log`.
 */
export async function exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [command, ...args] = argv;
  if (command === undefined) throw new SlError('E_INTERNAL', 'exec was called without a command');
  if (options.signal?.aborted) throw stoppedError(argv, 'aborted', options);
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    uid: options.uid,
    gid: options.gid,
    detached: true,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])],
  });
  const stdout = collect(child.stdout, options);
  const stderr = collect(child.stderr, options);
  const { exitCode, signal, stop } = await settle(child, argv, options);
  const result = { stdout: stdout(), stderr: stderr(), exitCode: exitCode ?? 128 };
  if (stop !== undefined) throw stoppedError(argv, stop, options, logOf(result));
  if (exitCode === 0 || options.allowExit === 'any') return result;
  if (exitCode !== null && options.allowExit?.includes(exitCode)) return result;
  throw failedError(argv, signal ?? `exit status ${exitCode}`, result, options);
}

type Stop = 'aborted' | 'deadline';
interface Settled {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stop: Stop | undefined;
}

function settle(child: ChildProcess, argv: readonly string[], options: ExecOptions): Promise<Settled> {
  return new Promise((resolve, reject) => {
    let stop: Stop | undefined;
    let killTimer: NodeJS.Timeout | undefined;
    let heldTimer: NodeJS.Timeout | undefined;
    const end = (reason: Stop) => {
      if (stop !== undefined) return;
      stop = reason;
      killGroup(child, 'SIGTERM');
      killTimer = setTimeout(() => giveUp(child), options.grace ?? DEFAULT_GRACE);
    };
    const onAbort = () => end('aborted');
    const timer = setTimeout(() => end('deadline'), options.deadline ?? DEFAULT_DEADLINE);
    const tidy = () => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      clearTimeout(heldTimer);
      options.signal?.removeEventListener('abort', onAbort);
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    child.on('error', (cause) => {
      tidy();
      reject(startError(argv, cause, options));
    });
    child.on('exit', () => {
      // What a busy process has not come to yet is read before.
      heldTimer = setTimeout(() => setImmediate(closePipes, child), HELD);
    });
    child.on('close', (exitCode, signal) => {
      tidy();
      resolve({ exitCode, signal, stop });
    });
    // A command may exit without reading what it was given; its status says whether that matters.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input);
  });
}

/**
 * Kills what is left of a command that leads a process group (`detached`), and closes its pipes: a process that left the group, or a
 * unit, may hold them for ever.
 */
export function giveUp(child: ChildProcess): void {
  killGroup(child, 'SIGKILL');
  closePipes(child);
}

function closePipes(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

function collect(stream: NodeJS.ReadableStream | null, options: ExecOptions): () => string {
  const cap = options.maxOutput ?? DEFAULT_MAX_OUTPUT;
  let text = '';
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    text += chunk;
    // Not for each chunk: that copies all that is kept.
    if (text.length > 2 * cap) text = text.slice(-cap);
    if (options.onLine === undefined) return;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) options.onLine(line);
  });
  stream?.on('end', () => {
    if (rest !== '') options.onLine?.(rest);
  });
  return () => text.slice(-cap);
}

function startError(argv: readonly string[], cause: NodeJS.ErrnoException, options: ExecOptions): SlError {
  const why = cause.code === 'ENOENT' ? 'it is not installed, or not on the PATH' : cause.message;
  return new SlError(options.code ?? 'E_INTERNAL', `${options.name ?? argv[0]} could not be started: ${why}`, {
    cause,
  });
}

function stoppedError(argv: readonly string[], stop: Stop, options: ExecOptions, log: string[] = []): SlError {
  if (stop === 'aborted') {
    return new SlError('E_ABORTED', `${options.name ?? argv[0]} was cancelled`, { cause: options.signal?.reason });
  }
  const seconds = Math.round((options.deadline ?? DEFAULT_DEADLINE) / 100) / 10;
  return new SlError('E_DEADLINE', `${options.name ?? argv.join(' ')} did not finish in ${seconds} s`, {
    details: { log },
  });
}

function failedError(argv: readonly string[], how: string, result: ExecResult, options: ExecOptions): SlError {
  const lines = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3);
  const last = newestLines(lines, MESSAGE_BYTES).join(' / ');
  const message = `${options.name ?? argv.join(' ')} failed with ${how}${last === '' ? '' : `: ${last}`}`;
  return new SlError(options.code ?? 'E_INTERNAL', message, { details: { log: logOf(result) } });
}
