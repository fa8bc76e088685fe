/** Waits that end early when there is news, also when it came before anybody waited for it. */
import type { Clock } from '../ports.ts';

export interface Bell {
  ring(): void;
  /** Whether it was rung since somebody waited last. */
  isRung(): boolean;
  /** For so many milliseconds, or until it rings. Throws when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createBell(clock: Pick<Clock, 'sleep'>): Bell {
  let news = new AbortController();
  return {
    ring: () => news.abort(),
    isRung: () => news.signal.aborted,
    async wait(ms, signal) {
      await clock.sleep(ms, AbortSignal.any([signal, news.signal])).catch(() => signal.throwIfAborted());
      news = new AbortController();
    },
  };
}
