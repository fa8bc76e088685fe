/** `sl deploys`: the journal of a set's deploys, newest first. */
import type { DeploysResult } from '@silverlining/protocol';
import type { ControllerDeps } from './deps.ts';
import { unknownSet } from './status.ts';

export async function deploys(deps: ControllerDeps, set: string): Promise<DeploysResult> {
  if ((await deps.store.set(set)) === undefined) throw unknownSet(set);
  const rows = (await deps.store.deploys(set)).sort((a, b) => b.startedAt - a.startedAt);
  return { set, deploys: rows.map(({ record, startedAt, state }) => ({ ...record, startedAt, state })) };
}
