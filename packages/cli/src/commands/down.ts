import type { ControllerClient } from '@silverlining/controller';
import { SlError, type StatusResult } from '@silverlining/protocol';
import { confirm } from '../confirm.ts';
import { type Context, type Report, say } from '../context.ts';
import { connect } from '../controller.ts';
import { whoAsks } from '../names.ts';
import { followOperation, operationReport } from '../operation.ts';
import { count } from '../render/text.ts';
import { setName } from '../server-set.ts';

/** Names what it will destroy, asks for the set's name, and destroys it. */
export async function down(context: Context, options: { set?: string }): Promise<Report> {
  const set = setName(context, options.set);
  const client = await connect(context);
  const current = await known(client, set);
  if (current === undefined) return { json: { set, destroyed: [] }, lines: [`${set}: there is nothing to destroy`] };
  say(context, doomed(current, context));
  const what = current.keepsMachines === true ? 'take all of this down' : 'destroy all of this';
  await confirm(context, { question: `Type the set's name to ${what} (${set}):`, answer: set });
  const end = await followOperation(context, client, (signal) =>
    client.operate('down', { set, by: whoAsks(context.env) }, signal),
  );
  return operationReport(context, end, { set, destroyed: [] });
}

async function known(client: ControllerClient, set: string): Promise<StatusResult | undefined> {
  try {
    return await client.status({ set });
  } catch (error) {
    if (error instanceof SlError && error.code === 'E_NOT_FOUND') return undefined;
    throw error;
  }
}

function doomed({ set, nodes, apps, keepsMachines }: StatusResult, { globals, paint, paintError }: Context): string[] {
  const red = globals.json ? paintError : paint;
  const existing = nodes.filter((node) => node.state !== 'missing' || node.address !== null);
  const active = apps.filter((app) => app.active !== null);
  if (existing.length + active.length === 0) return [`${set}: no node was made of it yet; it will be forgotten`];
  const fate = keepsMachines
    ? 'will leave the set: apps and services stop, what was there before is put back; packages and databases stay'
    : 'with everything on them, data of services included, will be destroyed';
  return [
    `${set}: ${count(existing.length, 'node')} ${fate}:`,
    ...existing.map((node) => `  ${red('red', '-')} ${node.name} (${node.roles.join(', ')})`),
    ...active.map((app) => `  ${red('red', '-')} app ${app.name}, ${app.active}`),
  ];
}
