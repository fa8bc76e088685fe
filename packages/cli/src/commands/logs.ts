import { type LogLine, SlError, toSlError } from '@silverlining/protocol';
import { type Context, endWithReader, type Report } from '../context.ts';
import { connect } from '../controller.ts';
import { checkedName } from '../names.ts';
import { clean, clock } from '../render/text.ts';
import { setName } from '../server-set.ts';

export interface LogsOptions {
  lines: number;
  follow?: boolean;
  node?: string;
  set?: string;
}

/** Last log lines of all nodes in the order of their times, and with `follow` those that come. */
export async function logs(context: Context, app: string | undefined, options: LogsOptions): Promise<Report> {
  if (app?.endsWith('.ini')) {
    throw new SlError(
      'E_USAGE',
      `${JSON.stringify(app)} is no app: -f means --follow here, the server set file is --file FILE`,
    );
  }
  checkedName('app', app);
  checkedName('node', options.node);
  endWithReader(context);
  const { json } = context.globals;
  const set = setName(context, options.set);
  const client = await connect(context);
  const follow = options.follow === true;
  const request = { set, app, node: options.node, lines: options.lines, follow };
  const collected: LogLine[] = [];
  const report = { json: follow ? undefined : { set, lines: collected }, lines: [] };
  try {
    for await (const line of client.logs(request)) {
      if (json && !follow) collected.push(line);
      else await write(context, json ? JSON.stringify(line) : logText(context, line));
    }
    return report;
  } catch (error) {
    // The lines of the other nodes came all the same.
    return { ...report, error: toSlError(error) };
  }
}

function logText({ paint }: Context, { at, node, source, text }: LogLine): string {
  return `${paint('dim', clock(at))} ${paint('cyan', clean(node))} ${clean(source)}: ${clean(text)}`;
}

/** Waits for who reads, so that a slow pipe slows the stream instead of filling the memory. */
function write({ stdout }: Context, line: string): Promise<void> {
  return new Promise((resolve) => {
    if (stdout.write(`${line}\n`)) resolve();
    else stdout.once('drain', resolve);
  });
}
