/** Bytes on their way to agents beside which nothing large is made for another one. */
const ENOUGH = 4 << 20;
/** Milliseconds without a byte that left until those on their way count as stuck: their agents do not read. */
const STUCK = 1_000;

/**
 * What is on its way to all agents together. Thousands that are told something at once would have as many frames in memory, of
 * which the network takes a few at a time: whoever has something large to say waits for its turn before it makes it.
 */
export class Flow {
  readonly #queue: (() => void)[] = [];
  readonly #enough: number;
  #bytes = 0;
  #stuck = 0;
  #next: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(enough = ENOUGH) {
    this.#enough = enough;
  }

  sent(bytes: number): void {
    this.#bytes += bytes;
  }

  /** They were taken by the system, or their connection ended. */
  left(bytes: number): void {
    this.#bytes -= bytes;
    this.#stuck = Math.min(this.#stuck, this.#bytes);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#go();
  }

  /** Resolves when there is room, in the order of asking. Agents that do not read hold nobody up for long. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push(resolve);
      this.#go();
    });
  }

  #go(): void {
    if (this.#queue.length === 0 || this.#next !== undefined) return;
    if (this.#bytes - this.#stuck < this.#enough) {
      // One at a time: what it sends counts before it is another one's turn.
      this.#next = setImmediate(() => {
        this.#next = undefined;
        this.#queue.shift()?.();
        setImmediate(() => this.#go());
      });
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#stuck = this.#bytes;
        this.#go();
      }, STUCK);
    }
  }
}
