/** Operations that change a set run one at a time, under a lease with a fencing token. */
import { SlError } from '@silverlining/protocol';
import type { Lease } from '../ports.ts';
import { type OperationContext, OperationFailed } from '../service.ts';
import type { ControllerDeps } from './deps.ts';
import { endLeftDeploys } from './recover.ts';

/** Milliseconds until a lease that could not be given back is tried again. */
const RELEASE_AGAIN = 1_000;
/** Milliseconds between signs of life of whoever holds a lease. */
export const BEAT = 5_000;
/** Milliseconds without one, by the clock of whoever waits for it, after which the holder is gone. */
export const SILENCE = 16_000;

/** Runs `work` under the set's lease; E_BUSY that says who holds it, since when and how to attach. */
export async function withLease<R>(
  deps: ControllerDeps,
  op: OperationContext,
  { set, holder }: { set: string; holder: string },
  work: (token: number) => Promise<R>,
): Promise<R> {
  const lease = await acquire(deps, op, { set, holder: named(holder, op) });
  const done = new AbortController();
  const beating = beat(deps, lease, done.signal);
  let isJournalled = true;
  try {
    // Left by a controller that is gone; the row says how it ended only until the next one is committed.
    const row = await deps.store.set(set);
    if (row !== undefined) await endLeftDeploys(deps, row);
    return await work(lease.token);
  } catch (error) {
    isJournalled = error instanceof OperationFailed;
    throw error;
  } finally {
    done.abort();
    await beating;
    await release(deps, lease, isJournalled);
  }
}

/** A holder of this controller is at work. One of another controller has to show that it is: its lease is taken over when not. */
async function acquire(
  deps: ControllerDeps,
  op: OperationContext,
  { set, holder }: { set: string; holder: string },
): Promise<Lease> {
  const ask = async () => {
    const answer = await deps.store.acquireLease(set, holder, op.operationId, deps.clock.now());
    // Before anybody else hears his answer: two may ask at one time.
    if (answer.granted) deps.held.add(op.operationId);
    return answer;
  };
  const first = await ask();
  if (first.granted) return first.lease;
  if (deps.held.has(first.lease.operation)) throw busy(first.lease);
  const text = `${first.lease.holder} of another controller holds ${set} since ${since(first.lease)}; waiting for a sign of life of it`;
  op.emit({ status: 'info', action: 'lease', text });
  await deps.clock.sleep(SILENCE, op.signal);
  const then = await ask();
  if (then.granted) return then.lease;
  const { lease } = then;
  if (lease.token !== first.lease.token || lease.beats !== first.lease.beats) throw busy(lease);
  deps.log.warn({ set, operation: lease.operation }, 'a lease was taken over: the controller that held it is gone');
  // Should it come back all the same, its token is no longer the newest, and it commits nothing.
  await deps.store.releaseLease(set, lease.token);
  const last = await ask();
  if (!last.granted) throw busy(last.lease);
  return last.lease;
}

function busy(lease: Lease): SlError {
  return new SlError(
    'E_BUSY',
    `${lease.holder} is running on ${lease.set} since ${since(lease)}; follow it with: sl deploy --attach ${lease.operation}`,
    { details: { operation: lease.operation, since: lease.since } },
  );
}

function since(lease: Lease): string {
  return new Date(lease.since).toISOString();
}

/** Gives signs of life until it is told to end. One that cannot be written is left out: the next one will do. */
async function beat({ store, clock, log }: ControllerDeps, { set, token }: Lease, signal: AbortSignal): Promise<void> {
  for (;;) {
    await clock.sleep(BEAT, signal).catch(() => undefined);
    if (signal.aborted) return;
    await store.beatLease(set, token).catch((error: unknown) => {
      log.warn({ set, error: String(error) }, 'the lease could not be renewed; this is tried again');
    });
  }
}

function named(holder: string, { by }: OperationContext): string {
  return by === undefined ? holder : `${holder} (${by})`;
}

/**
 * What the operation came to stands, and the set must not stay locked because a disk was full for a moment: it is tried again. So is to
 * write how its deploys ended, where it could not: nodes keep what belongs to a deploy under way.
 */
async function release(deps: ControllerDeps, lease: Lease, isJournalled: boolean): Promise<void> {
  const { set, token, operation } = lease;
  try {
    const row = isJournalled ? undefined : await deps.store.set(set);
    if (row !== undefined) await endLeftDeploys(deps, row, operation);
    await deps.store.releaseLease(set, token);
    deps.held.delete(operation);
  } catch (error) {
    deps.log.warn({ set, error: String(error) }, 'the lease could not be given back; this is tried again');
    void deps.clock.sleep(RELEASE_AGAIN, new AbortController().signal).then(() => release(deps, lease, isJournalled));
  }
}
