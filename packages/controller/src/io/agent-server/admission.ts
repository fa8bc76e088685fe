/** A token bucket: `rate` a second, and as many at once after a pause. Times are monotonic milliseconds. */
export class TokenBucket {
  readonly #rate: number;
  #tokens: number;
  #filledAt: number;

  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#tokens = rate;
    this.#filledAt = now;
  }

  /** Takes a token; false when there is none. */
  take(now: number): boolean {
    const added = ((now - this.#filledAt) / 1000) * this.#rate;
    this.#tokens = Math.min(this.#rate, this.#tokens + added);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

const WINDOW = 60_000;

/**
 * Tells an agent that reconnects after a network cut, which replaces its own dead connection once, from two agents with
 * one identity (a copied disk), which replace each other for ever. Those are held back, both: nobody knows which is right.
 * When they are let in again, and still replace each other, once is enough.
 */
export class Rivals {
  readonly #limit: number;
  readonly #hold: number;
  readonly #replacements = new Map<string, number[]>();
  readonly #heldUntil = new Map<string, number>();

  /** `limit`: replacements in a minute that are still no reason; `hold`: milliseconds. */
  constructor(limit: number, hold: number) {
    this.#limit = limit;
    this.#hold = hold;
  }

  isHeld(uuid: string, now: number): boolean {
    const until = this.#heldUntil.get(uuid);
    if (until === undefined) return false;
    if (now >= until + WINDOW) this.#heldUntil.delete(uuid);
    return now < until;
  }

  /** Notes that a live connection was replaced; true when that was once too often and the identity is held from now on. */
  replaced(uuid: string, now: number): boolean {
    const recent = [...(this.#replacements.get(uuid) ?? []), now].filter((at) => now - at < WINDOW);
    this.#replacements.set(uuid, recent);
    if (recent.length <= (this.#isSuspect(uuid, now) ? 0 : this.#limit)) return false;
    this.#replacements.delete(uuid);
    this.#heldUntil.set(uuid, now + this.#hold);
    return true;
  }

  /** Whether it was held until a moment ago. */
  #isSuspect(uuid: string, now: number): boolean {
    const until = this.#heldUntil.get(uuid);
    return until !== undefined && now < until + WINDOW;
  }
}
