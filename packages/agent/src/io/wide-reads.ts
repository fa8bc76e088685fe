import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { BULK_FRAME } from '@silverlining/protocol';

/** Bytes of a TLS record at most. Node reads one at a time. */
const RECORD = 16 << 10;
/** Bytes before a frame's content, at most; the controller writes them by themselves, so they come as a record of their own. */
const HEAD = 16;
/** How long what has come of a frame waits for the rest, in milliseconds. */
const REST = 100;

/** Who wants the memory of a piece back, by that memory. */
const owners = new WeakMap<ArrayBufferLike, () => void>();

/**
 * Says that nobody reads what was handed on any more, so that what comes next may be written there. New memory costs a page fault for
 * each 4 KB of it.
 */
export function giveBack(content: Buffer): void {
  // With a content of that length there is nothing else in the piece.
  if (content.length === BULK_FRAME) owners.get(content.buffer)?.();
}

/**
 * Connects with TLS, and hands on what comes in larger pieces than its records. By itself Node makes a buffer of each record in the C
 * library's heap, and a large release leaves 7 to 10 MB of holes there. A piece is a mapping of its own, which goes when it is done
 * with. It begins with a frame, where there is a whole one, which is then not put together from parts of two of them.
 */
export function connectWithWideReads(options: ConnectionOptions): TLSSocket {
  const spare: Buffer[] = [];
  let piece: Buffer = Buffer.alloc(0);
  /** What of the piece has come and is still to be handed on. */
  let [start, end] = [0, 0];
  /** Bytes of the frame that the piece begins with, and its head; 0 where none is known. */
  let frame = 0;
  let soon: NodeJS.Immediate | undefined;
  let late: NodeJS.Timeout | undefined;
  const onread = {
    buffer: () => {
      if (piece.length - end < RECORD) next();
      return piece.subarray(end);
    },
    callback: (bytes: number) => {
      if (bytes <= HEAD && end > 0) {
        const head = piece.subarray(end, end + bytes);
        next();
        head.copy(piece);
      }
      if (bytes <= HEAD && end === 0) frame = frameBytes(piece.subarray(0, bytes));
      end += bytes;
      // Whoever gets a frame in parts puts it together in new memory.
      if (end < frame) late ??= setTimeout(handOn, REST);
      // All that can be read now is, before the next turn of the event loop.
      else soon ??= setImmediate(handOn);
      return end < frame || socket.readableLength + end - start < BULK_FRAME;
    },
  };
  const socket = connect({ ...options, ...{ onread } });
  const push = socket.push.bind(socket);
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    // The end comes from Node itself.
    if (chunk === null) handOn();
    return push(chunk, encoding);
  };
  return socket;

  /** Goes on with another piece. */
  function next(): void {
    handOn();
    [piece, start, end, frame] = [spare.pop() ?? newPiece(), 0, 0, 0];
  }

  function newPiece(): Buffer {
    const it = Buffer.allocUnsafeSlow(HEAD + BULK_FRAME);
    owners.set(it.buffer, () => spare.push(it));
    return it;
  }

  function handOn(): void {
    clearImmediate(soon);
    clearTimeout(late);
    [soon, late] = [undefined, undefined];
    if (end > start && !socket.destroyed) push(piece.subarray(start, end));
    start = end;
  }
}

/**
 * What a record so small says of the frame that it begins, with the record itself (RFC 6455, 5.2); 0 where it does not fit a piece. It may
 * be something else that looks like a head: a frame is waited for, but not for long.
 */
function frameBytes(head: Buffer): number {
  if (head.length < 10 || ((head[1] ?? 0) & 0x7f) !== 127) return 0;
  const whole = 10 + Number(head.readBigUInt64BE(2));
  return whole <= HEAD + BULK_FRAME ? whole : 0;
}
