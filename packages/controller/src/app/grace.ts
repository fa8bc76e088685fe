/** The time after the controller's start, when its agents are still on their way back to it. */
import type { NodeRecord } from '../ports.ts';
import { type CallDeps, callAgents } from './call-agents.ts';
import type { ControllerDeps } from './deps.ts';

/** Milliseconds in which no node is called down. */
const GRACE = 60_000;
/** Milliseconds by which an agent that lives is back: it tries again after 30 s at most. */
const RETURN = 40_000;

/** Milliseconds that the controller runs. A clock that was set since is far from the start, ahead or behind. */
function ageOf({ clock, startedAt }: Pick<ControllerDeps, 'clock' | 'startedAt'>): number {
  return Math.abs(clock.now() - startedAt);
}

/** Whether an agent that is away may be on its way back: this controller is new, and has not heard it yet. */
export function isAwaited(deps: Pick<ControllerDeps, 'clock' | 'startedAt'>, lastSeen = 0): boolean {
  return ageOf(deps) < GRACE && lastSeen < deps.startedAt;
}

/**
 * Waits, shortly after the start, for agents that were connected to the controller before this one, and at any time for `least`
 * milliseconds (0 when not given). It calls them, so that it takes no half minute. It resolves when all are back or none is to be
 * expected any more: whoever needs them looks for himself who is there.
 */
export async function agentsBack(
  deps: CallDeps & Pick<ControllerDeps, 'startedAt'>,
  nodes: readonly NodeRecord[],
  { signal, onWait, least = 0 }: { signal: AbortSignal; onWait?: (names: string) => void; least?: number },
): Promise<void> {
  const deadline = Math.max(least, RETURN - ageOf(deps));
  // One that was never heard may have been cut off in the middle of its bootstrap: there is nobody to wait for.
  const away = nodes.filter((it) => it.lastSeen !== undefined && deps.fleet.session(it.uuid) === undefined);
  if (deadline <= 0 || away.length === 0) return;
  onWait?.(away.map((it) => it.name).join(', '));
  const over = new AbortController();
  const calling = callAgents(deps, away, AbortSignal.any([signal, over.signal]));
  await Promise.allSettled(away.map(({ uuid }) => deps.fleet.waitFor(uuid, { signal, deadline })));
  over.abort();
  await calling;
}
