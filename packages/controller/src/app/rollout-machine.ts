/** Runs the rollout machine: starts its effects and feeds it their results. */
import { SlError, toWireError } from '@silverlining/protocol';
import { reduce } from '../core/release/reduce.ts';
import { type Effect, isFinal, type Transition } from '../core/release/rollout-state.ts';
import type { RolloutContext } from './rollout-context.ts';
import { executors } from './rollout-effects.ts';

/** Resolves in the final state. Effects run at once; each has a signal of its own, so that an abort ends only it. */
export function runMachine(context: RolloutContext, first: Transition): Promise<void> {
  const { signal } = context.op;
  const running = new Map<string, AbortController>();
  const run = executors(context);
  return new Promise((resolve) => {
    const take = ({ state, effects, cancel }: Transition): void => {
      context.state = state;
      for (const key of cancel) running.get(key)?.abort();
      for (const effect of effects) begin(effect);
      if (isFinal(state.phase)) finish();
    };
    const begin = (effect: Effect): void => {
      const controller = new AbortController();
      running.set(effect.key, controller);
      run(effect, controller.signal).then(
        () => take(reduce(context.state, { type: 'succeeded', key: effect.key })),
        (thrown) => take(reduce(context.state, { type: 'failed', key: effect.key, error: toWireError(thrown) })),
      );
    };
    const cancelled = (): void => take(reduce(context.state, { type: 'cancelled', error: CANCELLED }));
    const finish = (): void => {
      signal.removeEventListener('abort', cancelled);
      resolve();
    };
    signal.addEventListener('abort', cancelled);
    take(first);
    if (signal.aborted) cancelled();
  });
}

const CANCELLED = toWireError(new SlError('E_ABORTED', 'cancelled; nothing was switched'));
