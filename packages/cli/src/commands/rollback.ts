import { SlError } from '@silverlining/protocol';
import type { Context, Report } from '../context.ts';
import { connect } from '../controller.ts';
import { checkedName, whoAsks } from '../names.ts';
import { followOperation, operationReport } from '../operation.ts';
import { setName } from '../server-set.ts';

/** Switches back to a release that is still on the nodes. */
export async function rollback(
  context: Context,
  app: string | undefined,
  options: { to?: string; set?: string; watch?: boolean },
): Promise<Report> {
  checkedName('app', app);
  const to = checkedName('instance', options.to);
  const owner = to?.slice(0, Math.max(0, to.lastIndexOf('.')));
  if (app !== undefined && owner !== undefined && owner !== app) {
    throw new SlError(
      'E_USAGE',
      `${to} is no instance of ${app}: instances are called APP.YYYYMMDD_NNN (sl deploys lists them)`,
    );
  }
  const set = setName(context, options.set);
  const client = await connect(context);
  const request = { set, app: app ?? owner, to, watch: options.watch, by: whoAsks(context.env) };
  const end = await followOperation(context, client, (signal) => client.operate('rollback', request, signal));
  return operationReport(context, end, { deploys: [] });
}
