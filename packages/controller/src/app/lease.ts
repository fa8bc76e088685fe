/** Operations that change a set run one at a time, under a lease with a fencing token. */
import { SlError } from '@silverlining/protocol';
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';
import { endLeftDeploys } from './recover.ts';

/** Milliseconds until a lease that could not be given back is tried again. */
const RELEASE_AGAIN = 1_000;

/** Runs `work` under the set's lease; E_BUSY that says who holds it, since when and how to attach. */
export async function withLease<R>(
  deps: ControllerDeps,
  op: OperationContext,
  { set, holder }: { set: string; holder: string },
  work: (token: number) => Promise<R>,
): Promise<R> {
  const { lease, granted } = await deps.store.acquireLease(set, named(holder, op), op.operationId, deps.clock.now());
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
    await release(deps, set, lease.token);
  }
}

function named(holder: string, { by }: OperationContext): string {
  return by === undefined ? holder : `${holder} (${by})`;
}

/** What the operation came to stands, and the set must not stay locked because a disk was full for a moment: it is tried again. */
async function release(deps: ControllerDeps, set: string, token: number): Promise<void> {
  try {
    await deps.store.releaseLease(set, token);
  } catch (error) {
    deps.log.warn({ set, error: String(error) }, 'the lease could not be given back; this is tried again');
    void deps.clock.sleep(RELEASE_AGAIN, new AbortController().signal).then(() => release(deps, set, token));
  }
}
