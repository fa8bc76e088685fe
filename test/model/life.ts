/** One run of a process, from its start until it is killed. Of a killed process nothing goes on: its calls never return. */
import { type ErrorCode, SlError } from '../../packages/protocol/src/index.ts';
import type { World } from './world.ts';

/** What befalls the nth call of a kind that a process makes to its machine. */
export interface Mishap {
  /** Name of the process. */
  who: string;
  kind: string;
  nth: number;
  /**
   * `kill`: the process; `power`: the machine; both before the call has done anything. `fail`: it does nothing and fails.
   * `lost`: it does what it should and says that it failed. `cancel`: the user presses Ctrl-C meanwhile.
   */
  what: Death | 'fail' | 'lost' | 'cancel';
}
export type Death = 'kill' | 'power';

/** The calls of each process, counted over all its lives, and what befalls them. */
export class Mishaps {
  readonly #counts = new Map<string, number>();
  readonly #due = new Map<string, Mishap['what']>();
  /** Off while a history is prepared, and after its faults have stopped. */
  armed = false;

  constructor(mishaps: readonly Mishap[]) {
    for (const { who, kind, nth, what } of mishaps) this.#due.set(`${who} ${kind} ${nth}`, what);
  }

  next(who: string, kind: string): Mishap['what'] | undefined {
    if (!this.armed || this.#due.size === 0) return undefined;
    const key = `${who} ${kind}`;
    const nth = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, nth);
    return this.#due.get(`${key} ${nth}`);
  }
}

export interface CallOptions {
  /** Milliseconds that it usually takes. */
  ms?: number;
  /** Code of the error that it fails with; without one it never fails. */
  fails?: ErrorCode;
}

export interface LifeParts {
  world: World;
  name: string;
  mishaps: Mishaps;
  die(how: Death): void;
  cancel?(): void;
  /** What is wrong with the machine now: calls that can fail do so. */
  trouble?(): string | undefined;
}

export class Life {
  readonly world: World;
  readonly name: string;
  alive = true;
  readonly #parts: LifeParts;

  constructor(parts: LifeParts) {
    this.#parts = parts;
    this.world = parts.world;
    this.name = parts.name;
  }

  /** A call to the machine that takes time: it happens whole or, when the process is killed before, not at all. */
  call<T>(kind: string, subject: string, effect: () => T, { ms = 1, fails }: CallOptions = {}): Promise<Awaited<T>> {
    if (!this.alive) return new Promise(() => undefined);
    return new Promise((resolve) => {
      this.world.after(this.world.jitter(ms), () => {
        if (!this.alive) return;
        const mishap = this.#parts.mishaps.next(this.name, kind);
        if (mishap === 'kill' || mishap === 'power') {
          this.world.note(this.name, `was about to: ${kind} ${subject}`);
          this.#parts.die(mishap);
          return;
        }
        if (mishap === 'cancel') this.#parts.cancel?.();
        resolve(this.#do(`${kind} ${subject}`, effect, { fails, mishap }));
      });
    });
  }

  /** A call that takes no time worth modelling. */
  quick<T>(effect: () => T): Promise<Awaited<T>> {
    if (!this.alive) return new Promise(() => undefined);
    return new Promise((resolve) => resolve(effect() as Awaited<T>));
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.alive ? this.world.sleep(ms, signal) : new Promise(() => undefined);
  }

  async #do<T>(
    what: string,
    effect: () => T,
    { fails, mishap }: { fails: ErrorCode | undefined; mishap: Mishap['what'] | undefined },
  ): Promise<Awaited<T>> {
    const trouble = mishap === 'fail' ? 'it just failed' : this.#parts.trouble?.();
    if (fails !== undefined && trouble !== undefined) {
      this.world.note(this.name, `FAILED: ${what}`);
      throw new SlError(fails, `${what}: ${trouble}`);
    }
    if (!what.startsWith('ask ')) this.world.note(this.name, what);
    const result = await effect();
    if (mishap !== 'lost' || fails === undefined) return result;
    this.world.note(this.name, `... which SAYS THAT IT FAILED: ${what}`);
    throw new SlError(fails, `${what}: nobody knows`);
  }
}
