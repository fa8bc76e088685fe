/** Ends a controller that has nothing left to look after, unless somebody comes back to it first. */
import type { Clock, Store } from '../ports.ts';

/** Milliseconds for the answer of the last `down` to reach its client. */
export const GRACE = 1_000;
/** Milliseconds without a question, once somebody has asked again: who looks at a plan may want it carried out. */
export const ASKED_GRACE = 60_000;

export interface Idleness {
  /** Notes that somebody asked something. */
  asked(): void;
  /** Runs an operation; while one runs, the controller is not idle. */
  during<R>(work: () => Promise<R>): Promise<R>;
  /** Begins to watch: there may be no set any more. */
  watch(): void;
}

export interface IdlenessOptions {
  store: Pick<Store, 'sets'>;
  clock: Pick<Clock, 'sleep'>;
  signal: AbortSignal;
  onIdle(): void;
}

export function createIdleness({ store, clock, signal, onIdle }: IdlenessOptions): Idleness {
  let questions = 0;
  let running = 0;
  const wait = async (ms: number): Promise<void> => {
    const before = questions;
    await clock.sleep(ms, signal);
    if ((await store.sets()).length > 0) return;
    if (running > 0 || questions > before) return wait(ASKED_GRACE);
    onIdle();
  };
  return {
    asked: () => void questions++,
    async during(work) {
      questions++;
      running++;
      try {
        return await work();
      } finally {
        running--;
      }
    },
    // Only the end of the controller ends the waiting early.
    watch: () => void wait(GRACE).catch(() => undefined),
  };
}
