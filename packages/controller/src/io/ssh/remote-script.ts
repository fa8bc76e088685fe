import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SlError } from '@silverlining/protocol';
import { giveUp } from '@silverlining/system';

const PREFIX = 'silver:';
/** A remote that ignores the end of its input this long is cut off. */
const KILL_AFTER = 2_000;
/** What ssh said is all read in this time after its end, unless a command of its configuration lives on and holds its pipes. */
const PIPES_HELD = 1_000;
const MAX_STDERR = 16_384;

/** `size`: bytes that the order announces. */
interface FileToSend {
  file: string;
  size: number;
}

/** The install script on the other end of ssh: one order, one answer. */
export interface RemoteScript {
  /** Lines that the script said before it was ready for orders. */
  greeting(): Promise<string[]>;
  /** Gives an order, with the content that belongs to it, and returns the lines of its answer. */
  order(words: readonly (string | number)[], content?: string | FileToSend): Promise<string[]>;
  /** Ends the connection, whatever state it is in. */
  close(): Promise<void>;
}

/** The connection failed or the script ended without an answer; `stderr` is what ssh said. */
export class RemoteEnded extends Error {
  readonly stderr: string;
  readonly exitCode: number | null;
  /** Whether the script had said something: then it was let in, and as root. */
  readonly ran: boolean;

  constructor(stderr: string, exitCode: number | null, ran = false) {
    super(stderr.trim().split(/\r?\n/).slice(-3).join(' / ') || `ssh ended with status ${exitCode}`);
    this.stderr = stderr;
    this.exitCode = exitCode;
    this.ran = ran;
  }
}

interface RemoteOptions {
  /** Given to it first. */
  script?: string;
  /** Called for each line that comes, and each piece of content that is taken. */
  moved?(): void;
}

/** Starts ssh. Aborting the signal kills it, with the commands of its configuration; every pending answer is then refused. */
export function startRemote(
  argv: readonly string[],
  signal: AbortSignal,
  { script, moved = () => undefined }: RemoteOptions = {},
): RemoteScript {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, { detached: true });
  const answers = collectAnswers(child, moved);
  const kill = () => giveUp(child);
  child.once('exit', () => {
    const timer = setTimeout(kill, PIPES_HELD);
    child.once('close', () => clearTimeout(timer));
  });
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  // A broken pipe shows as the end of the script, with the reason that it or ssh gave.
  child.stdin.on('error', () => undefined);
  if (script !== undefined) child.stdin.write(script);
  return {
    greeting: () => answers.next('ready'),
    async order(words, content) {
      const answer = answers.next('ok');
      // It may be refused while content is still read: whoever gave the order hears of it after that.
      answer.catch(() => undefined);
      child.stdin.write(`${words.join(' ')}\n`);
      if (typeof content === 'string') child.stdin.write(content);
      else if (content !== undefined) {
        const wrong = await sendFile(content, child.stdin, moved);
        // When the script gives up in the middle, its answer says why. When it still waits, it is the file.
        if (wrong !== undefined && child.stdin.writable) answers.refuse(wrong);
      }
      return answer;
    },
    async close() {
      signal.removeEventListener('abort', kill);
      child.stdin.end();
      const timer = setTimeout(kill, KILL_AFTER);
      await answers.ended;
      clearTimeout(timer);
    },
  };
}

/** Returns why not all of it was sent, if so. */
async function sendFile({ file, size }: FileToSend, to: Writable, moved: () => void): Promise<SlError | undefined> {
  // A stream reads one byte at least.
  if (size === 0) return undefined;
  const content = createReadStream(file, { end: size - 1 });
  try {
    await pipeline(content, (pieces) => telling(pieces, moved), to, { end: false });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new SlError('E_SSH', `${file} of this machine cannot be read: ${why}`, { cause });
  }
  if (content.bytesRead === size) return undefined;
  const text = `${file} of this machine has ${content.bytesRead} of ${size} bytes by now; run it again, and it is made anew`;
  return new SlError('E_SSH', text);
}

async function* telling(pieces: AsyncIterable<Buffer>, moved: () => void): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    moved();
    yield piece;
  }
}

interface Waiting {
  last: string;
  lines: string[];
  resolve(lines: string[]): void;
  reject(error: Error): void;
}

function collectAnswers(child: ChildProcessWithoutNullStreams, moved: () => void) {
  let waiting: Waiting | undefined;
  let over: Error | undefined;
  let stderr = '';
  let ran = false;
  const refuse = (error: Error) => {
    over ??= error;
    waiting?.reject(over);
    waiting = undefined;
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR);
  });
  // Other lines are a banner or a login script's.
  createInterface({ input: child.stdout }).on('line', (line) => {
    moved();
    const said = line.startsWith(PREFIX) ? line.slice(PREFIX.length) : undefined;
    if (said === undefined) return;
    ran = true;
    if (waiting === undefined) return;
    if (said.startsWith('failed ')) refuse(new SlError('E_SSH', said.slice('failed '.length)));
    else if (said !== waiting.last) waiting.lines.push(said);
    else {
      waiting.resolve(waiting.lines);
      waiting = undefined;
    }
  });
  const ended = new Promise<void>((resolve) => {
    child.on('error', (cause) => {
      const text = `ssh cannot be started on this machine (${cause.message}): is its package, openssh-client, installed?`;
      refuse(new SlError('E_SSH', text, { cause }));
      resolve();
    });
    child.on('close', (code) => {
      refuse(new RemoteEnded(stderr, code, ran));
      resolve();
    });
  });
  return {
    ended,
    refuse,
    next(last: string): Promise<string[]> {
      return new Promise((resolve, reject) => {
        if (over !== undefined) return reject(over);
        waiting = { last, lines: [], resolve, reject };
      });
    },
  };
}
