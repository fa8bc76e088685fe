import type { Duplex } from 'node:stream';

/** What a server has to have of `node:net` for this: connections above the number are closed before anything is read. */
export interface Limited {
  maxConnections: number;
}

/**
 * How many connections a server takes: all agents that it has let in, and some strangers besides. So those who have not shown
 * who they are cannot take the agents' places; and of a whole fleet that comes back at once, those who would have to wait
 * are turned away before the costly handshake and not after it.
 */
export class Room {
  readonly #server: Limited;
  readonly #strangers: number;
  readonly #most: number;
  #letIn = 0;

  /** `most`: connections of all kinds. */
  constructor(server: Limited, { strangers, most }: { strangers: number; most: number }) {
    this.#server = server;
    this.#strangers = strangers;
    this.#most = most;
    this.#change(0);
  }

  /** Counts the connection among those that are let in, until it closes. */
  letIn(socket: Pick<Duplex, 'once'>): void {
    this.#change(1);
    socket.once('close', () => this.#change(-1));
  }

  #change(by: number): void {
    this.#letIn += by;
    this.#server.maxConnections = Math.min(this.#most, this.#letIn + this.#strangers);
  }
}
