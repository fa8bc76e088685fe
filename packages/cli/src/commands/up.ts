import type { ControllerClient, RequestInput } from '@silverlining/controller';
import { confirm } from '../confirm.ts';
import { type Context, type Report, say } from '../context.ts';
import { connect } from '../controller.ts';
import { whoAsks } from '../names.ts';
import { followOperation, type OperationEnd, operationReport } from '../operation.ts';
import { errorLines } from '../render/error.ts';
import { planLines } from '../render/plan.ts';
import { count } from '../render/text.ts';
import { loadSet } from '../server-set.ts';

/** Plans, shows the plan, asks, and makes it so. */
export async function up(context: Context, { watch }: { watch?: boolean }): Promise<Report> {
  const set = loadSet(context);
  const plan = await (await connect(context)).plan({ set });
  say(context, planLines(plan, context.globals.json ? context.paintError : context.paint));
  if (plan.changes > 0) await confirm(context, { question: `Make ${count(plan.changes, 'change')}? [y/N]` });
  // One that had no set to look after has ended when the plan was looked at for long.
  const client = await connect(context);
  const end = await runUp(context, client, { set, watch, by: whoAsks(context.env) });
  return operationReport(context, end, { set: set.name, changes: 0, deploys: [] });
}

/** What local nodes need of this machine is installed when the user agrees: with `--yes`, or when asked. */
async function runUp(context: Context, client: ControllerClient, request: RequestInput<'up'>): Promise<OperationEnd> {
  const attempt = (installHostPackages: boolean) =>
    followOperation(context, client, (signal) => client.operate('up', { ...request, installHostPackages }, signal));
  const end = await attempt(context.globals.yes);
  if (end.error?.code !== 'E_HOST_PACKAGES' || context.globals.yes || !context.stdin.isTTY) return end;
  say(context, errorLines(end.error, false, context.paint));
  await confirm(context, { question: 'Install them? [y/N]' });
  return attempt(true);
}
