import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { jsonLines, type LogLine, type RequestBody } from '@silverlining/protocol';
import { cursorOf, logLineOf } from '../core/journal-line.ts';

const COMMON = ['journalctl', '--quiet', '--no-pager', '--output=json'];
const FIELDS = '--output-fields=MESSAGE,_SYSTEMD_UNIT,UNIT';

/** Streams the last lines of the apps (and the agent), then new ones with `follow`, as NDJSON until either end closes. */
export async function streamJournal(
  request: RequestBody<'logs'>,
  node: string,
  output: { transfer: Duplex; signal: AbortSignal },
): Promise<void> {
  const { transfer } = output;
  const closed = new AbortController();
  // A socket that the other end closed has ended for reading first; only reading notices.
  for (const event of ['end', 'close', 'error']) transfer.on(event, () => closed.abort());
  transfer.resume();
  const signal = AbortSignal.any([output.signal, closed.signal]);
  const sink: Sink = { write: (text) => writeTo(transfer, text, signal), node, app: request.app, signal };
  const cursor = await copyLines(lastLinesArgv(request), sink);
  if (request.follow && !signal.aborted) await copyLines(followArgv(cursor), sink);
  if (closed.signal.aborted) return void transfer.destroy();
  transfer.end();
  await finished(transfer, { readable: false }).catch(() => undefined);
}

/** Units that wrote anything are found by pattern; the journal knows those that are gone too. */
function lastLinesArgv({ app, lines }: RequestBody<'logs'>): string[] {
  const units = app === undefined ? ['silver-app-*.service', 'silver-agent.service'] : [`silver-app-${app}.*.service`];
  return [...COMMON, FIELDS, `--lines=${lines}`, ...units.map((unit) => `--unit=${unit}`)];
}

/** A pattern would be resolved once, at the start: all services are followed, and ours picked out as releases come. */
function followArgv(cursor: string | undefined): string[] {
  const from = cursor === undefined ? ['--lines=0'] : ['--no-tail', `--after-cursor=${cursor}`];
  const transports = ['stdout', 'syslog', 'journal'].map((it) => `_TRANSPORT=${it}`);
  return [...COMMON, FIELDS, '--follow', ...from, ...transports];
}

interface Sink {
  write(text: string): Promise<void>;
  node: string;
  app: string | undefined;
  signal: AbortSignal;
}

/** Runs journalctl to its end or until aborted; returns the position of its last line. */
async function copyLines(argv: string[], sink: Sink): Promise<string | undefined> {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const stop = () => child.kill();
  sink.signal.addEventListener('abort', stop, { once: true });
  if (sink.signal.aborted) stop();
  child.on('error', () => undefined);
  let last: string | undefined;
  try {
    for await (const json of jsonLines(child.stdout.setEncoding('utf8'))) {
      last = json;
      const line = logLineOf(json, sink.node, sink.app);
      if (line !== undefined) await sink.write(textOf(line));
      if (sink.signal.aborted) break;
    }
  } finally {
    sink.signal.removeEventListener('abort', stop);
    child.kill();
  }
  return last === undefined ? undefined : cursorOf(last);
}

/** A controller of an older version takes U+2028 and U+2029 for ends of lines, too. */
function textOf(line: LogLine): string {
  const json = JSON.stringify(line).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  return `${json}\n`;
}

/** Waits for room when the other end is slow; the journal waits with it. */
function writeTo(transfer: Duplex, text: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted || transfer.write(text)) return Promise.resolve();
  return new Promise((resolve) => {
    const go = () => {
      transfer.off('drain', go);
      signal.removeEventListener('abort', go);
      resolve();
    };
    transfer.once('drain', go);
    signal.addEventListener('abort', go, { once: true });
  });
}
