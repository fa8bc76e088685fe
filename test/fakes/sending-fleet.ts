import { PassThrough } from 'node:stream';
import type { Transfer } from '../../packages/controller/src/ports.ts';
import { FakeFleet } from './fake-fleet.ts';

/** Gives what was sent to whoever asks for it by the transfer's id. */
export class SendingFleet extends FakeFleet {
  readonly sockets = new Map<string, PassThrough>();

  override transfer(): never {
    const id = `t${this.sockets.size}`;
    const socket = new PassThrough();
    this.sockets.set(id, socket);
    // What reads a bulk socket that is closed sees its end, and no error.
    const transfer: Transfer = { id, socket: Promise.resolve(socket), close: () => void socket.end() };
    return transfer as never;
  }
}
