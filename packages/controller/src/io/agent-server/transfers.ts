import type { Duplex } from 'node:stream';
import { SlError } from '@silverlining/protocol';
import { createWebSocketStream, type WebSocket } from 'ws';
import type { Ids, Transfer } from '../../ports.ts';
import { disconnected, type Limits, watchLimits } from './limit.ts';

/** Bytes read ahead and written ahead of the socket. */
const HIGH_WATER_MARK = 256 * 1024;
/** 192 bits: nobody guesses the name of another one's transfer, and would be refused all the same. */
const ID_BYTES = 24;

/** What ws says of a connection that ended without a word (RFC 6455, 7.1.5). */
const BROKEN = 1006;

interface Expected {
  uuid: string;
  open(socket: WebSocket): void;
  fail(error: SlError): void;
}

/** Bulk sockets: each is expected from one node, once, for a while. */
export class Transfers {
  readonly #ids: Pick<Ids, 'token'>;
  readonly #expected = new Map<string, Expected>();
  readonly #open = new Map<WebSocket, string>();

  constructor(ids: Pick<Ids, 'token'>) {
    this.#ids = ids;
  }

  /** Expects a socket from the node. Once it is open, `close` ends it, and the end of the node's control connection. */
  expect(node: { uuid: string; name: string }, limits: Limits): Transfer {
    const id = this.#ids.token(ID_BYTES);
    let opened: WebSocket | undefined;
    const socket = new Promise<Duplex>((resolve, reject) => {
      const fail = (error: SlError) => {
        stop();
        this.#expected.delete(id);
        reject(error);
      };
      const open = (it: WebSocket) => {
        stop();
        this.#expected.delete(id);
        opened = it;
        resolve(this.#stream(it, node));
      };
      const stop = watchLimits(limits, { what: 'opening a bulk socket', node: node.name }, fail);
      this.#expected.set(id, { uuid: node.uuid, open, fail });
    });
    // Whoever asked may have failed before it came to wait for the socket.
    socket.catch(() => undefined);
    const close = () => {
      const error = new SlError('E_ABORTED', 'the transfer was given up', { details: { node: node.name } });
      this.#expected.get(id)?.fail(error);
      opened?.terminate();
    };
    return { id, socket, close };
  }

  /** The transfer that a node asks for: how to open it, or why it may not. */
  claim(id: string, uuid: string): ((socket: WebSocket) => void) | 'unknown' | 'foreign' {
    const expected = this.#expected.get(id);
    if (expected === undefined) return 'unknown';
    return expected.uuid === uuid ? (socket) => expected.open(socket) : 'foreign';
  }

  /** Gives up everything of the node: its control connection ended, and the work behind the sockets with it. */
  endAll(uuid: string, error: SlError): void {
    for (const expected of [...this.#expected.values()]) if (expected.uuid === uuid) expected.fail(error);
    for (const [socket, owner] of this.#open) if (owner === uuid) socket.terminate();
  }

  #stream(socket: WebSocket, { uuid, name }: { uuid: string; name: string }): Duplex {
    this.#open.set(socket, uuid);
    const stream = createWebSocketStream(socket, { highWaterMark: HIGH_WATER_MARK });
    const broke = () => disconnected(name, 'the bulk socket broke');
    let isBroken = false;
    const finish = stream._final.bind(stream);
    // Who ends it, or has ended it, waits for the other end to take what was written: ws tells it of no end but a good one.
    stream._final = (done) => (isBroken ? done(broke()) : finish(done));
    socket.on('close', (code) => {
      this.#open.delete(socket);
      isBroken = code === BROKEN;
      if (stream.writableEnded && !stream.writableFinished) stream.destroy(broke());
    });
    // Errors reach whoever reads or writes; one that comes when nobody does any more must not end the process.
    stream.on('error', () => undefined);
    socket.on('error', () => undefined);
    return stream;
  }
}
