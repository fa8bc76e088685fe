/** What is committed is said until it is heard. */
import { SlError } from '@silverlining/protocol';
import type { RolloutContext } from './rollout-context.ts';

/** Milliseconds for which a node that does not answer is asked again. */
export const PATIENCE = 30_000;
/** For one that was waited for in vain already: whether it is back by now. */
const SECOND_PATIENCE = 5_000;

export interface InsistContext {
  deps: { fleet: Pick<RolloutContext['deps']['fleet'], 'waitFor'> };
  nodes: RolloutContext['nodes'];
  unreached: RolloutContext['unreached'];
}

export interface Insisting {
  node: string;
  signal: AbortSignal;
  patience?: number;
}

/**
 * Tries until the deadline over lost connections; other errors are the node's answer. E_DEADLINE when it was not to be had:
 * that says nothing of what the node does, and is no verdict on a release.
 */
export async function insist<R>(
  { deps, nodes, unreached }: InsistContext,
  { node, signal: cancelled, patience = unreached.has(node) ? SECOND_PATIENCE : PATIENCE }: Insisting,
  attempt: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const over = AbortSignal.timeout(patience);
  const signal = AbortSignal.any([cancelled, over]);
  try {
    for (;;) {
      try {
        return await attempt(signal);
      } catch (error) {
        if (signal.aborted || !isLost(error)) throw error;
        await deps.fleet.waitFor(node, { signal, deadline: patience });
      }
    }
  } catch (cause) {
    // What the end of the time cut off calls itself cancelled.
    if (!over.aborted || cancelled.aborted) throw cause;
    unreached.add(node);
    const name = nodes.get(node)?.name ?? node;
    const message = `${name} was not to be reached for ${patience / 1000} s; it follows what was decided when it is back`;
    throw new SlError('E_DEADLINE', message, { cause, details: { node: name } });
  }
}

/** Whether the node was silent: nobody can say what it did. */
export function isLost(error: unknown): error is SlError {
  return error instanceof SlError && (error.code === 'E_NODE_DISCONNECTED' || error.code === 'E_DEADLINE');
}
