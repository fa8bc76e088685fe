/** The journal of deploys: a set's, newest first, and those of one operation. */
import type { DeploysResult, OperationEvent } from '@silverlining/protocol';
import type { ControllerDeps } from './deps.ts';
import { unknownSet } from './status.ts';

export async function deploys(deps: ControllerDeps, set: string): Promise<DeploysResult> {
  if ((await deps.store.set(set)) === undefined) throw unknownSet(set);
  const rows = (await deps.store.deploys(set)).sort((a, b) => b.startedAt - a.startedAt);
  return { set, deploys: rows.map(({ record, startedAt, state }) => ({ ...record, startedAt, state })) };
}

/** How an operation of an earlier controller ended: what it deployed is in the journal, its progress is not. */
export async function recordedOperation(deps: ControllerDeps, id: string): Promise<OperationEvent[] | undefined> {
  const operation = id.split('.')[0] ?? id;
  for (const { name } of await deps.store.sets()) {
    const rows = (await deps.store.deploys(name)).filter((it) => it.id.startsWith(`${operation}.`));
    if (rows.length === 0) continue;
    const result = { deploys: rows.map((it) => it.record) };
    const error = result.deploys.find((it) => it.error !== undefined)?.error;
    const kind = operation.split('-')[0] ?? '';
    const first: OperationEvent = { type: 'operation', id: operation, kind, set: name };
    return [first, error === undefined ? { type: 'done', result } : { type: 'failed', error, result }];
  }
  return undefined;
}
