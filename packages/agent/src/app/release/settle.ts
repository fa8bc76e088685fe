import { SlError } from '@silverlining/protocol';
import { abortion, appOf, settlement } from '../../core/release/choices.ts';
import type { Handlers } from '../../ports.ts';
import { collectGarbage, discard, finish, halt } from './remove.ts';
import type { ReleaseState } from './state.ts';
import { ensureInForce } from './switch.ts';

/** Stops what has drained, and removes what is no longer kept. */
export function createSettle(state: ReleaseState): Handlers['settle'] {
  return async (order, { signal }) => {
    // As long as visitors may get what was active before, it stays.
    await ensureInForce(state, signal);
    const settled = await state.exclusive(order.app, async () => {
      // It waited for its turn: by now a deploy may have begun, of whose release the order knows nothing.
      signal.throwIfAborted();
      const { stop, remove } = settlement(order, state.all(), state.asked);
      await halt(state, stop);
      await discard(state, order.app, remove);
      if (remove.length > 0) await collectGarbage(state);
      return { stopped: stop, removed: remove };
    });
    await finish(state);
    return settled;
  };
}

/** Undoes a staging, whether it is done or still under way. */
export function createAbort(state: ReleaseState): Handlers['abort'] {
  return async (order) => {
    const staging = state.stagings.get(order.instance);
    staging?.abort.abort(new SlError('E_ABORTED', `the deploy of ${order.instance} was aborted`));
    // It removes what it made by itself; waited for, so that the reply means that it is gone.
    await staging?.ended;
    state.offers.delete(order.instance);
    const app = appOf(order.instance);
    await state.exclusive(app, () => undo(state, app, order));
    return {};
  };
}

async function undo(state: ReleaseState, app: string, order: { instance: string; deploy: string }): Promise<void> {
  const journal = state.journals.get(order.instance);
  if (state.active[app] === order.instance) {
    // A rollback to what is active already changed nothing, so there is nothing to undo either.
    if (journal?.deploy !== order.deploy) return;
    throw new SlError('E_CONFLICT', `${order.instance} is active and cannot be aborted`);
  }
  const verdict = abortion(order, journal);
  if (verdict === 'remove') await discard(state, app, [order.instance]);
  if (verdict === 'stop') await halt(state, [order.instance]);
}
