import type { LogLine } from '@silverlining/protocol';

/**
 * The newest of the lines that several nodes send at the same time, each as many as are wanted of all: what cannot be among them any more
 * goes as they come. A hundred thousand of each of fifty nodes would be more than the controller has memory for.
 */
export class NewestLines {
  readonly #count: number;
  #lines: LogLine[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** How many there are in memory. */
  get held(): number {
    return this.#lines.length;
  }

  add(line: LogLine): void {
    if (this.#count === 0) return;
    this.#lines.push(line);
    if (this.#lines.length >= 2 * this.#count) this.#lines = this.inOrder();
  }

  /** Oldest first; of one time, as they came. */
  inOrder(): LogLine[] {
    const first = Math.max(0, this.#lines.length - this.#count);
    return this.#lines.sort((a, b) => a.at - b.at).slice(first);
  }
}
