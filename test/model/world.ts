/** Virtual time: a queue of what happens when. Nothing waits for real, and the same history always goes the same way. */
import { SlError } from '../../packages/protocol/src/index.ts';

/** Made once: each would cost a stack trace. */
const TIMED_OUT = new DOMException('timed out', 'TimeoutError');
/** Noon UTC, so that no history crosses into the next day by chance. */
const START = Date.UTC(2026, 0, 31, 12);

interface Happening {
  at: number;
  /** Tells apart what is due at the same time: first come, first served. */
  order: number;
  run(): void;
}

export class World {
  now = START;
  /** What happened, for people; kept only when `isTraced`. */
  readonly trace: string[] = [];
  readonly isTraced: boolean;
  /** The first rule that was broken. */
  violation: string | undefined;
  readonly #queue: Happening[] = [];
  #order = 0;
  /** How much has happened. */
  steps = 0;
  #seed: number;

  constructor(seed: number, isTraced = false) {
    this.#seed = seed;
    this.isTraced = isTraced;
  }

  /** From [0, 1); mulberry32. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Milliseconds for something that usually takes about `ms`. */
  jitter(ms: number): number {
    return Math.ceil(ms * (0.5 + this.random()));
  }

  note(who: string, what: string): void {
    if (this.isTraced) this.trace.push(`${String(this.now - START).padStart(7)} ms  ${who.padEnd(5)} ${what}`);
  }

  /** A rule was broken: the history ends here. */
  broken(rule: string): void {
    if (this.violation !== undefined) return;
    this.violation = rule;
    this.note('', `BROKEN: ${rule}`);
  }

  after(ms: number, run: () => void): void {
    const it = { at: this.now + ms, order: this.#order++, run };
    let i = this.#queue.push(it) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = this.#queue[parent];
      if (above === undefined || !isBefore(it, above)) break;
      this.#queue[i] = above;
      i = parent;
    }
    this.#queue[i] = it;
  }

  /** Lets things happen until `done`, for `ms` at most. Each is followed by all that its promises lead to. */
  async pass(ms: number, done: () => boolean = () => false): Promise<void> {
    const end = this.now + ms;
    await settled();
    while (this.violation === undefined && !done()) {
      const next = this.#queue[0];
      if (next === undefined || next.at > end) {
        this.now = end;
        return;
      }
      this.steps += 1;
      this.#shift();
      this.now = next.at;
      next.run();
      await settled();
    }
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = () => reject(new SlError('E_ABORTED', 'waiting was cancelled', { cause: signal.reason }));
      if (signal.aborted) return give();
      signal.addEventListener('abort', give, { once: true });
      this.after(ms, () => {
        signal.removeEventListener('abort', give);
        resolve();
      });
    });
  }

  /** `AbortSignal.timeout` in virtual time. */
  timeout(ms: number): AbortSignal {
    const controller = new AbortController();
    this.after(ms, () => controller.abort(TIMED_OUT));
    return controller.signal;
  }

  #shift(): void {
    const last = this.#queue.pop();
    if (last === undefined || this.#queue.length === 0) return;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      const right = left + 1;
      const [a, b] = [this.#queue[left], this.#queue[right]];
      const smaller = b !== undefined && a !== undefined && isBefore(b, a) ? right : left;
      const child = this.#queue[smaller];
      if (child === undefined || !isBefore(child, last)) break;
      this.#queue[i] = child;
      i = smaller;
    }
    this.#queue[i] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Resolves when everything that waits for nothing but promises has been done: asked for by a promise, a tick comes after all. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
