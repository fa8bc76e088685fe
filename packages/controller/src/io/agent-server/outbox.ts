import type { Flow } from './flow.ts';

/**
 * Bytes written at once. Node's TLS gives each connection a buffer that holds the most that was ever written to it at once, and
 * keeps it: with thousands of agents that were sent their whole topology, most of the controller's memory. At least it has
 * 16 KiB, and of these what is never written to takes no memory.
 */
const PART = 8_000;

/** Of a WebSocket what is needed here; `done` is called when the system has taken the bytes. */
export interface FragmentSocket {
  send(data: Buffer, options: { binary: boolean; fin: boolean }, done: (error?: Error | null) => void): void;
}

/** Frames to an agent, in their order: large ones as WebSocket fragments, each written when the one before has left. */
export class Outbox {
  readonly #socket: FragmentSocket;
  readonly #flow: Flow;
  readonly #frames: Buffer[] = [];
  #waiting = 0;

  constructor(socket: FragmentSocket, flow: Flow) {
    this.#socket = socket;
    this.#flow = flow;
  }

  /** Bytes that the agent has left unread so far. */
  get waiting(): number {
    return this.#waiting;
  }

  send(text: string): void {
    const frame = Buffer.from(text);
    this.#waiting += frame.length;
    this.#flow.sent(frame.length);
    if (this.#frames.push(frame) === 1) this.#write(frame, 0);
  }

  /** Nothing leaves any more: the connection ended. */
  drop(): void {
    this.#frames.length = 0;
    this.#left(this.#waiting);
  }

  #write(frame: Buffer, from: number): void {
    const part = frame.subarray(from, from + PART);
    const end = from + part.length;
    const fin = end === frame.length;
    this.#socket.send(part, { binary: false, fin }, (error) => {
      // The socket closes, and whoever waits for an answer hears of that.
      if (error != null || this.#frames[0] !== frame) return;
      this.#left(part.length);
      if (!fin) this.#write(frame, end);
      else this.#next();
    });
  }

  #left(bytes: number): void {
    this.#waiting -= bytes;
    this.#flow.left(bytes);
  }

  #next(): void {
    this.#frames.shift();
    const [frame] = this.#frames;
    if (frame !== undefined) this.#write(frame, 0);
  }
}
