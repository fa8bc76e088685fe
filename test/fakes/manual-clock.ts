/** A clock that stands until a test moves it: nothing waits for real, and nothing depends on how fast a machine is. */
import type { Clock } from '../../packages/controller/src/ports.ts';
import { SlError } from '../../packages/protocol/src/index.ts';

interface Sleeper {
  until: number;
  wake(): void;
}

export class ManualClock implements Clock {
  #time: number;
  #sleepers: Sleeper[] = [];
  /** How wrong it is as a clock of the wall. */
  #wrong = 0;

  constructor(time = 1_000_000) {
    this.#time = time;
  }

  now(): number {
    return this.#time + this.#wrong;
  }

  monotonic(): number {
    return this.#time;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = () => {
        this.#sleepers = this.#sleepers.filter((it) => it !== sleeper);
        reject(new SlError('E_ABORTED', 'waiting was cancelled'));
      };
      const sleeper: Sleeper = {
        until: this.#time + ms,
        wake: () => {
          signal.removeEventListener('abort', give);
          resolve();
        },
      };
      if (signal.aborted) return give();
      signal.addEventListener('abort', give, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Somebody sets it, forwards or back; whoever sleeps sleeps on. */
  set(by: number): void {
    this.#wrong += by;
  }

  /** Moves on, wakes whoever slept until then, and lets them do what they can do at once. */
  async advance(ms: number): Promise<void> {
    await idle();
    this.#time += ms;
    const awake = this.#sleepers.filter((it) => it.until <= this.#time);
    this.#sleepers = this.#sleepers.filter((it) => it.until > this.#time);
    for (const sleeper of awake) sleeper.wake();
    await idle();
  }
}

/** Resolves when everything that waits for nothing but promises has been done. */
export function idle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
