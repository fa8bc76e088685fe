import { type ChildProcess, spawn } from 'node:child_process';
import { type ErrorCode, SlError } from '@silverlining/protocol';

export interface RunOptions {
  signal?: AbortSignal | undefined;
  /** Written to standard input, which is closed afterwards. */
  input?: string | Uint8Array | undefined;
  /** Deadline; ten minutes when not given. */
  timeoutMs?: number | undefined;
  cwd?: string | undefined;
  /** The whole environment of the command; this process's own when not given. */
  env?: NodeJS.ProcessEnv | undefined;
  /** Code of the error for a command that cannot start or fails; E_INTERNAL when not given. */
  code?: ErrorCode | undefined;
  /** Exit statuses that are no error beside 0. */
  allowExit?: readonly number[] | undefined;
  /** Called for each whole line of standard output and standard error as it comes. */
  onLine?: ((line: string) => void) | undefined;
  /** Open files that the command inherits, as its descriptors 3, 4, ... */
  descriptors?: readonly number[] | undefined;
}

export interface RunResult {
  stdout: string;
  stderr: string;
  exitCode: number;
}

const DEFAULT_TIMEOUT_MS = 600_000;
/** A command that ignores SIGTERM this long is killed. */
const KILL_AFTER_MS = 3_000;
/** Output kept for results and errors, per stream; what is older is dropped. */
const MAX_OUTPUT = 16 * 1024 * 1024;
const ERROR_LINES = 12;

type Stop = 'aborted' | 'deadline';

/**
 * Runs a command to its end, in a process group of its own so that stopping it leaves no grandchild.
 * Throws SlError: E_ABORTED (signal), E_DEADLINE (timeout), or `options.code` (cannot start, or an exit status that
 * is not allowed) with the last lines of its output in `details.log`.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [command, ...args] = argv;
  if (command === undefined) throw new SlError('E_INTERNAL', 'run was called without a command');
  if (options.signal?.aborted) throw stoppedError(argv, 'aborted', options);
  const stdio = ['pipe' as const, 'pipe' as const, 'pipe' as const, ...(options.descriptors ?? [])];
  const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, detached: true, stdio });
  const stdout = collect(child.stdout, options.onLine);
  const stderr = collect(child.stderr, options.onLine);
  const { exitCode, signal, stop } = await settle(child, argv, options);
  const result = { stdout: stdout(), stderr: stderr(), exitCode: exitCode ?? 128 };
  if (stop !== undefined) throw stoppedError(argv, stop, options);
  if (exitCode !== null && (exitCode === 0 || options.allowExit?.includes(exitCode))) return result;
  throw failedError(argv, signal ?? `exit status ${exitCode}`, result, options);
}

interface Settled {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stop: Stop | undefined;
}

function settle(child: ChildProcess, argv: readonly string[], options: RunOptions): Promise<Settled> {
  return new Promise((resolve, reject) => {
    let stop: Stop | undefined;
    let killTimer: NodeJS.Timeout | undefined;
    const end = (reason: Stop) => {
      if (stop !== undefined) return;
      stop = reason;
      killGroup(child, 'SIGTERM');
      killTimer = setTimeout(() => giveUp(child), KILL_AFTER_MS);
    };
    const onAbort = () => end('aborted');
    const timer = setTimeout(() => end('deadline'), options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const tidy = () => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      options.signal?.removeEventListener('abort', onAbort);
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    child.on('error', (cause) => {
      tidy();
      reject(startError(argv, cause, options));
    });
    child.on('close', (exitCode, signal) => {
      tidy();
      resolve({ exitCode, signal, stop });
    });
    // A command may exit without reading what it was given; its status says whether that matters.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Kills what is left of it, and closes its pipes: a process that left the group may hold them for ever. */
function giveUp(child: ChildProcess): void {
  killGroup(child, 'SIGKILL');
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

function collect(stream: NodeJS.ReadableStream | null, onLine?: (line: string) => void): () => string {
  let text = '';
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (chunk: string) => {
    text = (text + chunk).slice(-MAX_OUTPUT);
    if (onLine === undefined) return;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  stream?.on('end', () => {
    if (rest !== '') onLine?.(rest);
  });
  return () => text;
}

function startError(argv: readonly string[], cause: NodeJS.ErrnoException, options: RunOptions): SlError {
  const why = cause.code === 'ENOENT' ? 'it is not installed, or not on the PATH' : cause.message;
  return new SlError(options.code ?? 'E_INTERNAL', `${argv[0]} could not be started: ${why}`, { cause });
}

function stoppedError(argv: readonly string[], stop: Stop, options: RunOptions): SlError {
  if (stop === 'aborted')
    return new SlError('E_ABORTED', `${argv[0]} was cancelled`, { cause: options.signal?.reason });
  const seconds = Math.round((options.timeoutMs ?? DEFAULT_TIMEOUT_MS) / 100) / 10;
  return new SlError('E_DEADLINE', `${argv.join(' ')} did not finish in ${seconds} s`);
}

function failedError(argv: readonly string[], how: string, result: RunResult, options: RunOptions): SlError {
  const log = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '');
  const last = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join(' / ');
  const message = `${argv.join(' ')} failed with ${how}${last === '' ? '' : `: ${last}`}`;
  return new SlError(options.code ?? 'E_INTERNAL', message, { details: { log: log.slice(-ERROR_LINES) } });
}
