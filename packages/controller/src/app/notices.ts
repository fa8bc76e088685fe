/** What is to be known of the last deploys, by whoever comes to the set next. */
import { buildTopology } from '../core/topology.ts';
import type { DeployRow, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';

/** The notices of one app. `rows`: the set's, oldest first. */
export function noticesOf(app: string, rows: readonly DeployRow[]): string[] {
  const last = lastOf(app, rows);
  if (last?.record.watching === true)
    return [`${last.instance} is watched: it is rolled back everywhere if it crashes again and again`];
  return last?.record.outcome === 'rolled-back' ? [wasRolledBack(last)] : [];
}

/** One that was aborted changed nothing: what there was to know before still is. */
function lastOf(app: string, rows: readonly DeployRow[]): DeployRow | undefined {
  return rows.findLast((it) => it.app === app && it.state === 'ended' && it.record.outcome !== 'aborted');
}

function wasRolledBack({ id, instance, record }: DeployRow): string {
  return `${instance} was rolled back: ${record.error?.message ?? 'it failed after the switch'} (sl deploys show ${id})`;
}

/** Says before a deploy which of the last ones did not stand: their command may have ended before that was known. */
export async function tellOfRollbacks(
  { store }: Pick<ControllerDeps, 'store'>,
  op: OperationContext,
  { name, config }: Pick<SetRecord, 'name' | 'config'>,
): Promise<void> {
  const rows = await store.deploys(name);
  for (const app of config.apps) {
    const last = lastOf(app.name, rows);
    if (last === undefined || last.record.outcome !== 'rolled-back') continue;
    op.emit({ status: 'warning', action: 'deploy', app: app.name, text: wasRolledBack(last) });
  }
}

/** Says what a deploy leaves as it is of a file that it was given: an app that no location in force leads to looks deployed all the same. */
export async function tellOfTheRest(
  { store }: Pick<ControllerDeps, 'store'>,
  op: OperationContext,
  { name, config, topology }: SetRecord,
): Promise<void> {
  const nodes = await store.nodes(name);
  const known = new Set(nodes.map((it) => it.name));
  const isWhole = config.nodes.every((it) => known.has(it.name));
  if (isWhole && buildTopology(config, nodes, { previous: topology }) === topology) return;
  const text =
    'the file has other nodes, services or locations than those in force, or other apps; sl deploy leaves them as they are. sl plan shows what differs, sl up makes it so';
  op.emit({ status: 'warning', action: 'deploy', text });
}
