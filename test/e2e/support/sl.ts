/** Runs the real `sl` as a user would, against the state of this test run. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../../..');

export interface SlResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface SlOptions {
  cwd?: string;
  /** Folder of the product; this one when not given. */
  product?: string | undefined;
  env?: Record<string, string>;
  /** Milliseconds after which it is killed and the test fails. */
  timeout?: number;
  /** Sent to its stdin. */
  input?: string;
  /** Aborting sends SIGINT, as Ctrl-C does. */
  interrupt?: AbortSignal;
  /** What aborting sends in place of it. */
  interruptWith?: NodeJS.Signals;
  /** Called with what it prints, as it comes. */
  onOutput?: (text: string) => void;
}

/** Runs `sl ARGS` and resolves when it ended, whatever its exit status. */
export function sl(args: readonly string[], options: SlOptions = {}): Promise<SlResult> {
  return new Promise((done, fail) => {
    const env = { ...process.env, ...options.env };
    const program = resolve(options.product ?? ROOT, 'packages/cli/bin/sl.js');
    const child = spawn(process.execPath, [program, ...args], { cwd: options.cwd ?? ROOT, env, stdio: 'pipe' });
    const out: string[] = [];
    const err: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: string) => options.onOutput?.(text));
    child.stdin.end(options.input ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeout ?? 600_000);
    options.interrupt?.addEventListener('abort', () => child.kill(options.interruptWith ?? 'SIGINT'));
    child.on('error', fail);
    child.on('close', (code) => {
      clearTimeout(timer);
      done({ code, stdout: out.join(''), stderr: err.join('') });
    });
  });
}

/** Runs `sl ARGS --json`, expects the exit status, and returns the document. The error shows all that it printed. */
export async function slJson<T>(args: readonly string[], options: SlOptions & { code?: number } = {}): Promise<T> {
  const result = await sl([...args, '--json'], options);
  if (result.code !== (options.code ?? 0)) {
    throw new Error(`sl ${args.join(' ')} exited ${result.code}\n${result.stdout}\n${result.stderr}`);
  }
  return JSON.parse(result.stdout) as T;
}
