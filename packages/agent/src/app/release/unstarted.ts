/** Instances that should run here and could not be started when the agent was: they are tried again until they do. */
import { toSlError } from '@silverlining/protocol';
import { start, waitHealthy } from './start.ts';
import type { ReleaseState } from './state.ts';

/** Milliseconds for one that is tried again, so that nothing else waits for long. */
const TIMEOUT = 5_000;

/**
 * Starts those of them that are named; without names all. What still fails is tried again the next time. One that is being staged anew
 * would run without what it is about to get.
 */
export async function startAgain(state: ReleaseState, signal: AbortSignal, names?: readonly string[]): Promise<void> {
  const waiting = [...state.unstarted].filter((instance) => !state.stagings.has(instance));
  const wanted = waiting.filter((instance) => names?.includes(instance) ?? true);
  if (wanted.length === 0) return;
  await Promise.all(wanted.map((instance) => startOne(state, instance, signal)));
  await state.refreshProxy();
}

async function startOne(state: ReleaseState, instance: string, signal: AbortSignal): Promise<void> {
  const journal = state.journals.get(instance);
  try {
    if (journal?.state === 'prepared') {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]);
      await start(state, journal.spec, limited);
      // Visitors had better find it ready; one that is slow counts as started all the same.
      await waitHealthy(state, journal, limited).catch((error: unknown) => warn(state, error));
    }
    state.unstarted.delete(instance);
  } catch (error) {
    warn(state, error);
  }
}

function warn(state: ReleaseState, error: unknown): void {
  state.ports.warn(toSlError(error).message);
}
