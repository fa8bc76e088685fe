/** Writes the decision of a rollout, and is sure whether it is written. */
import { SlError, toWireError } from '@silverlining/protocol';
import { decidedMap, isDecided } from '../core/release/decision.ts';
import type { CommitDecision, SetRecord } from '../ports.ts';
import type { RolloutContext } from './rollout-context.ts';
import { deployId } from './rollout-record.ts';

/** Milliseconds until the store is asked again whether it has the row. */
const ASK_AGAIN = 1_000;

/** Resolves with the row's epoch. When it fails, the row is not written. */
export async function writeDecision(context: RolloutContext, direction: 'forward' | 'back'): Promise<number> {
  const { deps, op, input } = context;
  const set = input.set.name;
  const row = await deps.store.set(set);
  const apps = input.items.map(({ app, instance, previous }) => ({ app: app.name, instance, previous }));
  const kept = Object.entries(row?.active ?? {}).filter(([app]) => !input.leaveOut?.includes(app));
  const active = decidedMap(Object.fromEntries(kept), apps, direction);
  const deploys = input.items.map(({ app }) => deployId(op.operationId, app.name));
  const decision = { set, token: input.token, active, deploys, now: deps.clock.now() };
  try {
    return await deps.store.commit(decision);
  } catch (error) {
    const written = isRefusal(error) ? undefined : await find(context, decision, row?.epoch ?? 0);
    if (written === undefined) throw error;
    return written.epoch;
  }
}

/**
 * After an error that leaves it open: the row, if it was written all the same. To abort what is committed would take away what
 * visitors are about to get, so as long as the store does not answer nothing is decided.
 */
async function find(
  { deps, op }: RolloutContext,
  { set, active }: CommitDecision,
  before: number,
): Promise<SetRecord | undefined> {
  for (;;) {
    try {
      const row = await deps.store.set(set);
      return isDecided(row, before, active) ? row : undefined;
    } catch (error) {
      const text = `whether the decision is written is not known, so the store is asked again: ${toWireError(error).message}`;
      op.emit({ status: 'warning', action: 'commit', text });
      await deps.clock.sleep(ASK_AGAIN, new AbortController().signal);
    }
  }
}

/** The store answered, and the answer is no. */
function isRefusal(error: unknown): boolean {
  return error instanceof SlError && error.code === 'E_CONFLICT';
}
