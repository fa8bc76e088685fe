/** What is committed is said until it is heard. */
import { SlError } from '@silverlining/protocol';
import type { RolloutContext } from './rollout-context.ts';

/** Milliseconds for which a node that does not answer is asked again. */
export const PATIENCE = 30_000;

/** Tries until the deadline over lost connections; other errors are the node's answer. */
export async function insist<R>(
  { deps }: RolloutContext,
  { node, signal: cancelled }: { node: string; signal: AbortSignal },
  attempt: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const signal = AbortSignal.any([cancelled, AbortSignal.timeout(PATIENCE)]);
  for (;;) {
    try {
      return await attempt(signal);
    } catch (error) {
      if (signal.aborted || !isLost(error)) throw error;
      await deps.fleet.waitFor(node, { signal, deadline: PATIENCE });
    }
  }
}

/** Whether the node was silent: nobody can say what it did. */
export function isLost(error: unknown): error is SlError {
  return error instanceof SlError && (error.code === 'E_NODE_DISCONNECTED' || error.code === 'E_DEADLINE');
}
