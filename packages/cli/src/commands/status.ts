import { setTimeout as sleep } from 'node:timers/promises';
import type { ControllerClient } from '@silverlining/controller';
import { SlError } from '@silverlining/protocol';
import { type Context, endWithReader, type Report } from '../context.ts';
import { connect } from '../controller.ts';
import { statusLines } from '../render/status.ts';
import { setName } from '../server-set.ts';

const WATCH_MS = 2_000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

/** Nodes and apps as they are now; with `watch` again and again until Ctrl-C. */
export async function status(context: Context, options: { watch?: boolean; set?: string }): Promise<Report> {
  if (options.watch && context.globals.json)
    throw new SlError('E_USAGE', '--watch and --json exclude each other: --json prints one document');
  const set = setName(context, options.set);
  const client = await connect(context);
  if (options.watch) return watch(context, client, set);
  const current = await client.status({ set });
  return { json: current, lines: statusLines(current, Date.now(), context.paint) };
}

async function watch(context: Context, client: ControllerClient, set: string): Promise<Report> {
  endWithReader(context);
  for (;;) {
    const lines = statusLines(await client.status({ set }), Date.now(), context.paint);
    context.stdout.write(`${context.stdout.isTTY ? CLEAR_SCREEN : ''}${lines.join('\n')}\n`);
    await sleep(WATCH_MS);
  }
}
