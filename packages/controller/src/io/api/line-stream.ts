import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** An empty line after this long without any: it tells the client that the controller lives. */
const HEARTBEAT_MS = 15_000;

/** Writes NDJSON to a response that the HTTP framework has let go of, no faster than the client reads it. */
export class LineStream {
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
  readonly #response: ServerResponse;
  readonly #heartbeat: NodeJS.Timeout;
  #written = false;

  constructor(response: ServerResponse, heartbeatMs = HEARTBEAT_MS) {
    const gone = new AbortController();
    this.gone = gone.signal;
    this.#response = response;
    response.on('close', () => {
      clearInterval(this.#heartbeat);
      gone.abort();
    });
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
  }

  /** Resolves when the client took the line; returns at once when the client is gone. */
  async write(value: unknown): Promise<void> {
    if (this.gone.aborted) return;
    this.#written = true;
    if (this.#response.write(`${JSON.stringify(value)}\n`)) return;
    await once(this.#response, 'drain', { signal: this.gone }).catch(() => undefined);
  }

  async writeAll(values: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
    for await (const value of values) await this.write(value);
  }

  end(): void {
    clearInterval(this.#heartbeat);
    if (!this.gone.aborted) this.#response.end();
  }

  #beat(): void {
    if (!this.#written && !this.#response.writableNeedDrain) this.#response.write('\n');
    this.#written = false;
  }
}
