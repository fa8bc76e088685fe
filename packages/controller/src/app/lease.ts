/** Operations that change a set run one at a time, under a lease with a fencing token. */
import { SlError } from '@silverlining/protocol';
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';
import { endLeftDeploys } from './recover.ts';

/** Runs `work` under the set's lease; E_BUSY that says who holds it, since when and how to attach. */
export async function withLease<R>(
  deps: ControllerDeps,
  op: OperationContext,
  { set, holder }: { set: string; holder: string },
  work: (token: number) => Promise<R>,
): Promise<R> {
  const { lease, granted } = await deps.store.acquireLease(set, holder, op.operationId, deps.clock.now());
  if (!granted) {
    const since = new Date(lease.since).toISOString();
    throw new SlError(
      'E_BUSY',
      `${lease.holder} is running on ${set} since ${since}; follow it with: sl deploy --attach ${lease.operation}`,
      { details: { operation: lease.operation, since: lease.since } },
    );
  }
  try {
    // Left where its end could not be written; the row says how it ended only until the next one is committed.
    const row = await deps.store.set(set);
    if (row !== undefined) await endLeftDeploys(deps, row);
    return await work(lease.token);
  } finally {
    await deps.store.releaseLease(set, lease.token);
  }
}
