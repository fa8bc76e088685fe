import type { Server } from 'node:https';
import { type ListenOptions, listen } from './listen.ts';

/** The servers that agents come in by, one for each address that is open. */
export class Listeners {
  readonly #make: () => Promise<Server>;
  readonly #onError: (error: Error) => void;
  readonly #open = new Map<Server, ListenOptions>();

  /** `onError` hears what happens to servers that listen. */
  constructor(make: () => Promise<Server>, onError: (error: Error) => void) {
    this.#make = make;
    this.#onError = onError;
  }

  servers(): Server[] {
    return [...this.#open.keys()];
  }

  /**
   * Serves at one more address, and returns the port. Where that is a port of every address, those that have it on one address make way:
   * the system lets nobody have both. Agents that came in by them stay connected. E_CONTROLLER when it cannot be had.
   */
  async listen(where: ListenOptions): Promise<number> {
    const narrower = [...this.#open].filter(([, it]) => includes(where, it));
    for (const [server] of narrower) {
      this.#open.delete(server);
      server.close();
    }
    try {
      return await this.#start(where);
    } catch (error) {
      await Promise.allSettled(narrower.map(([, it]) => this.#start(it)));
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.servers().map(closeServer));
  }

  async #start(where: ListenOptions): Promise<number> {
    const server = await this.#make();
    const port = await listen(server, where);
    server.on('error', this.#onError);
    this.#open.set(server, { ...where, port });
    return port;
  }
}

function includes(wide: ListenOptions, narrow: ListenOptions): boolean {
  return wide.host === undefined && narrow.host !== undefined && narrow.port === wide.port;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
