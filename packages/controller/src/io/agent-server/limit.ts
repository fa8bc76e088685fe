import { SlError } from '@silverlining/protocol';

export interface Limits {
  signal: AbortSignal;
  /** Milliseconds. */
  deadline: number;
}

/** What is waited for, for people, and the node's name. */
export interface Awaited {
  what: string;
  node: string;
}

/** Timers of Node fire at once when they are set for longer. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Calls `end` once, with E_DEADLINE or E_ABORTED, when the wait has gone on for too long or is not wanted any more.
 * Returns what stops watching.
 */
export function watchLimits({ signal, deadline }: Limits, awaited: Awaited, end: (error: SlError) => void): () => void {
  const { what, node } = awaited;
  let watching = true;
  const onAbort = () => {
    if (!watching) return;
    stop();
    end(new SlError('E_ABORTED', `${what} was cancelled`, { cause: signal.reason, details: { node } }));
  };
  const onTimeout = () => {
    stop();
    const seconds = Math.round(deadline / 100) / 10;
    end(new SlError('E_DEADLINE', `${node}: ${what} took longer than ${seconds} s`, { details: { node } }));
  };
  const timer = deadline > LONGEST_TIMER ? undefined : setTimeout(onTimeout, deadline);
  const stop = () => {
    watching = false;
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  };
  // Never before this function returned: callers stop watching in `end`.
  if (signal.aborted) queueMicrotask(onAbort);
  else signal.addEventListener('abort', onAbort, { once: true });
  return stop;
}

/** E_NODE_DISCONNECTED of a node, with what ended its connection. */
export function disconnected(node: string, reason: string): SlError {
  return new SlError('E_NODE_DISCONNECTED', `${node}: its agent is not connected (${reason})`, { details: { node } });
}
