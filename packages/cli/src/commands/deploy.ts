import { suggest } from '@silverlining/controller';
import { type ServerSet, SlError } from '@silverlining/protocol';
import type { Context, Report } from '../context.ts';
import { connect } from '../controller.ts';
import { whoAsks } from '../names.ts';
import { followOperation, operationReport } from '../operation.ts';
import { loadSet } from '../server-set.ts';

/** Deploys the named apps, or all; with `attach` follows an operation that was started before. */
export async function deploy(
  context: Context,
  apps: string[],
  options: { attach?: string; watch?: boolean },
): Promise<Report> {
  if (options.attach !== undefined) return attach(context, apps, options.attach);
  const set = loadSet(context);
  for (const app of apps) requireApp(set, app);
  const client = await connect(context);
  const end = await followOperation(context, client, (signal) =>
    client.operate('deploy', { set, apps, watch: options.watch, by: whoAsks(context.env) }, signal),
  );
  return operationReport(context, end, { deploys: [] });
}

async function attach(context: Context, apps: readonly string[], operation: string): Promise<Report> {
  if (apps.length > 0) throw new SlError('E_USAGE', '--attach follows what is running already: give it no apps');
  const client = await connect(context);
  const end = await followOperation(context, client, (signal) => client.operate('attach', { operation }, signal));
  return operationReport(context, end, { deploys: [] });
}

/** E_USAGE with a suggestion when the set has no such app. */
function requireApp(set: ServerSet, app: string): void {
  const names = set.apps.map((it) => it.name);
  if (names.includes(app)) return;
  const close = suggest(app, names);
  const help = close === undefined ? `it has ${names.join(', ') || 'none'}` : `did you mean ${close}?`;
  throw new SlError('E_USAGE', `${set.name} has no app ${JSON.stringify(app)}: ${help}`);
}
