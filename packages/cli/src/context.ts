import { SlError } from '@silverlining/protocol/errors';
import { EXIT } from './exit-status.ts';
import { type Paint, painter } from './render/paint.ts';

/** Options that every command has. */
export interface Globals {
  file?: string | undefined;
  yes: boolean;
  json: boolean;
  color: boolean;
  verbose: boolean;
}

/** What a command works with beside its own options. */
export interface Context {
  globals: Globals;
  env: NodeJS.ProcessEnv;
  cwd: string;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Colours for standard output, and for standard error. */
  paint: Paint;
  paintError: Paint;
}

/** What a command has to say at its end. */
export interface Report {
  /** The document of `--json`; `ok` and `error` are added. Undefined after a stream of JSON lines. */
  json: Record<string, unknown> | undefined;
  /** Lines for people, on standard output. */
  lines: string[];
  error?: SlError | undefined;
  /** Ended by Ctrl-C. */
  interrupted?: boolean | undefined;
}

export function createContext(globals: Globals): Context {
  const { env, stdin, stdout, stderr } = process;
  const coloured = (stream: NodeJS.WriteStream) =>
    globals.color && stream.isTTY && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    ...{ globals, env, cwd: currentDirectory(), stdin, stdout, stderr },
    paint: painter(coloured(stdout)),
    paintError: painter(coloured(stderr)),
  };
}

function currentDirectory(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new SlError('E_NOT_FOUND', 'the current directory was removed: change to another one (cd)', { cause });
  }
}

/** Writes lines for people while the command runs: to standard error when standard output is for the JSON document. */
export function say(context: Context, lines: readonly string[]): void {
  const stream = context.globals.json ? context.stderr : context.stdout;
  for (const line of lines) stream.write(`${line}\n`);
}

/** Ends a command that would go on for ever, when nobody reads it any more. */
export function endWithReader({ stdout }: Context): void {
  stdout.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(EXIT.done);
  });
}

/** Writes a line to standard error. */
export function note(context: Context, line: string): void {
  context.stderr.write(`${line}\n`);
}
