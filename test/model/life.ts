/** One run of a process, from its start until it is killed. Of a killed process nothing goes on: its calls never return. */
import { type ErrorCode, SlError } from '../../packages/protocol/src/index.ts';
import type { World } from './world.ts';

/** What befalls the nth call that a process makes to its machine. */
export interface Mishap {
  /** Name of the process. */
  who: string;
  nth: number;
  /** `kill`: the process; `power`: the machine; `fail`: the call, before it does anything. */
  what: Death | 'fail';
}
export type Death = 'kill' | 'power';

/** The calls of each process, counted over all its lives, and what befalls them. */
export class Mishaps {
  readonly #counts = new Map<string, number>();
  readonly #due = new Map<string, Mishap['what']>();
  /** Off while a history is prepared, and after its faults have stopped. */
  armed = false;

  constructor(mishaps: readonly Mishap[]) {
    for (const { who, nth, what } of mishaps) this.#due.set(`${who} ${nth}`, what);
  }

  next(who: string): Mishap['what'] | undefined {
    if (!this.armed) return undefined;
    const nth = (this.#counts.get(who) ?? 0) + 1;
    this.#counts.set(who, nth);
    return this.#due.get(`${who} ${nth}`);
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
  call<T>(what: string, effect: () => T, { ms = 1, fails }: CallOptions = {}): Promise<Awaited<T>> {
    if (!this.alive) return new Promise(() => undefined);
    return new Promise((resolve) => {
      this.world.after(this.world.jitter(ms), () => {
        if (this.alive && this.#survives(what)) resolve(this.#do(what, effect, fails));
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

  /** False when the process is killed at this call. */
  #survives(what: string): boolean {
    const mishap = this.#parts.mishaps.next(this.name);
    this.#isFailing = mishap === 'fail';
    if (mishap === undefined || mishap === 'fail') return true;
    this.world.note(this.name, `about to ${what}`);
    this.#parts.die(mishap);
    return false;
  }

  #isFailing = false;

  async #do<T>(what: string, effect: () => T, fails: ErrorCode | undefined): Promise<Awaited<T>> {
    const trouble = this.#isFailing ? 'it just failed' : this.#parts.trouble?.();
    if (fails !== undefined && trouble !== undefined) {
      this.world.note(this.name, `FAILS to ${what}`);
      throw new SlError(fails, `${what}: ${trouble}`);
    }
    this.world.note(this.name, what);
    return await effect();
  }
}
