/** The journal of deploys: a set's, newest first, and those of one operation. */
import { type ApiRequest, type DeploysResult, type OperationEvent, SlError } from '@silverlining/protocol';
import type { DeployRow } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { operationIn } from './rollout-record.ts';
import { unknownSet } from './status.ts';
import { asOfNow } from './verdict.ts';

export async function deploys(
  deps: Pick<ControllerDeps, 'store' | 'running'>,
  { set, id }: ApiRequest<'deploys'>,
): Promise<DeploysResult> {
  if ((await deps.store.set(set)) === undefined) throw unknownSet(set);
  const all = (await deps.store.deploys(set)).sort((a, b) => b.startedAt - a.startedAt);
  const named = id === undefined ? all : all.filter(isNamed(all, id));
  const rows = await Promise.all(named.map(async (it) => (await deps.store.deploy(it.id)) ?? it));
  return {
    set,
    deploys: rows.map(({ record, startedAt, state }) => ({
      ...(deps.running.get(record.id)?.() ?? record),
      ...{ startedAt, state },
    })),
  };
}

/** Which rows an id means: its own, those of the operation, or those of the only operation that begins with it. */
function isNamed(rows: readonly DeployRow[], id: string): (row: DeployRow) => boolean {
  if (rows.some((it) => it.id === id)) return (it) => it.id === id;
  const found = rows.filter((it) => it.id.startsWith(id));
  const operations = [...new Set(found.map((it) => operationIn(it.id)))];
  if (operations.includes(id)) return (it) => operationIn(it.id) === id;
  if (operations.length === 1) return (it) => it.id.startsWith(id);
  const name = JSON.stringify(id.slice(0, 80));
  if (operations.length === 0) throw new SlError('E_NOT_FOUND', `no deploy is called ${name}; sl deploys lists them`);
  const some = operations.slice(0, 5).join(', ');
  throw new SlError('E_USAGE', `${operations.length} operations begin with ${name}: ${some}; give more of the id`);
}

/** How an operation of an earlier controller ended: what it deployed is in the journal, its progress is not. */
export async function recordedOperation(deps: ControllerDeps, id: string): Promise<OperationEvent[] | undefined> {
  const operation = operationIn(id);
  for (const { name } of await deps.store.sets()) {
    const rows = (await deps.store.deploys(name)).filter((it) => it.id.startsWith(`${operation}.`));
    if (rows.length === 0) continue;
    const result = { deploys: await Promise.all(rows.map((it) => asOfNow(deps.store, it.record))) };
    const error = result.deploys.find((it) => it.error !== undefined)?.error;
    const kind = operation.split('-')[0] ?? '';
    const first: OperationEvent = { type: 'operation', id: operation, kind, set: name };
    return [first, error === undefined ? { type: 'done', result } : { type: 'failed', error, result }];
  }
  return undefined;
}
