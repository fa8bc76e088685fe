import type { Facts } from '@silverlining/protocol';
import type { Contact, Store } from '../../ports.ts';

/** Milliseconds until what a hello said is written: a fleet that comes back at once is written in a few goes. */
const HELLO_DELAY = 100;

/**
 * When agents were heard, written for all of them together now and then: a write for each report of thousands of agents
 * would be most of what the controller does.
 */
export class Contacts {
  readonly #store: Pick<Store, 'touchNodes'>;
  readonly #interval: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #pending = new Map<string, Contact>();
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;

  /** `interval`: milliseconds between two times of contact written for a node. */
  constructor(store: Pick<Store, 'touchNodes'>, interval: number, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#interval = interval;
    this.#onFailure = onFailure;
  }

  /** Notes a hello, with what it said of the node. */
  hello(uuid: string, lastSeen: number, facts: Facts): void {
    this.#pending.set(uuid, { uuid, lastSeen, facts });
    this.#writeWithin(HELLO_DELAY);
  }

  heard(uuid: string, lastSeen: number): void {
    this.#pending.set(uuid, { ...this.#pending.get(uuid), uuid, lastSeen });
    this.#writeWithin(this.#interval);
  }

  /** Writes what is not yet written. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
    const contacts = [...this.#pending.values()];
    this.#pending.clear();
    if (contacts.length === 0) return;
    await this.#store.touchNodes(contacts).catch(this.#onFailure);
  }

  #writeWithin(ms: number): void {
    const due = performance.now() + ms;
    if (this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => void this.flush(), ms);
    this.#timer.unref();
  }
}
