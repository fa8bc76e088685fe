import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import {
  agentRequests,
  decode,
  type Envelope,
  encode,
  lookUp,
  MAX_CONTROL_FRAME,
  type NoticeBody,
  parseBody,
  type ReplyBody,
  type RequestBody,
  type RequestType,
  SlError,
  toWireError,
} from '@silverlining/protocol';
import type { RawData, WebSocket } from 'ws';
import type * as z from 'zod/mini';
import type { ControlSession, Handlers, RequestContext } from '../ports.ts';
import { asDiskFull } from './full-disk.ts';
import type { OrderCheck } from './order-check.ts';

/** Notices that the controller does not take in time are dropped: the next health report says it newer. */
const MAX_BUFFERED = 1 << 20;

export interface RequestServerOptions {
  handlers: Handlers;
  openTransfer(id: string): Promise<Duplex>;
  /** Absent on a node that takes orders of whoever is at the other end. */
  orders: OrderCheck | undefined;
  /** The folder whose disk handlers write to. */
  data: string;
}

/**
 * Answers the requests on a control socket through the table of handlers, many at a time. A message that is no envelope,
 * or that nobody knows, gets a coded error; the session lives on. `stop` aborts what still runs.
 */
export function serveRequests(
  socket: WebSocket,
  options: RequestServerOptions,
): { session: ControlSession; stop(): void } {
  const running = new Map<string, AbortController>();
  const send = (it: Omit<Envelope, 'v' | 'id'>) => {
    if (socket.readyState !== socket.OPEN) return;
    const text = encode({ v: 1, id: randomUUID(), ...it });
    if (Buffer.byteLength(text) <= MAX_CONTROL_FRAME) return socket.send(text);
    const error = new SlError('E_INTERNAL', `the ${it.type} message is too large to be sent`);
    socket.send(encode({ v: 1, id: randomUUID(), re: it.re, type: 'error', body: toWireError(error) }));
  };

  const answer = async (request: Envelope) => {
    const controller = new AbortController();
    running.set(request.id, controller);
    const progress = (body: NoticeBody<'progress'>) => {
      if (socket.bufferedAmount < MAX_BUFFERED) send({ re: request.id, type: 'progress', body });
    };
    try {
      options.orders?.check(request);
      const context = { signal: controller.signal, progress, openTransfer: options.openTransfer };
      send({ re: request.id, type: 'result', body: await dispatch(options.handlers, request, context) });
    } catch (error) {
      send({ re: request.id, type: 'error', body: toWireError(await asDiskFull(error, options.data)) });
    } finally {
      running.delete(request.id);
    }
  };

  const receive = async (data: RawData, binary: boolean) => {
    try {
      if (binary) throw new SlError('E_FRAME', 'binary frames do not belong on the control socket');
      const it = decode(String(data));
      if (it.type === 'cancel')
        running.get(it.re ?? '')?.abort(new SlError('E_ABORTED', 'cancelled by the controller'));
      else await answer(it);
    } catch (error) {
      send({ type: 'error', body: toWireError(error) });
    }
  };
  // `receive` handles whatever goes wrong in it.
  socket.on('message', (data, binary) => void receive(data, binary));

  return {
    session: {
      trust: options.orders?.trust,
      notify(type, body) {
        if (type === 'hello' || socket.bufferedAmount < MAX_BUFFERED) send({ type, body });
      },
    },
    stop() {
      for (const controller of running.values()) controller.abort(new SlError('E_ABORTED', 'the session ended'));
    },
  };
}

async function dispatch(handlers: Handlers, it: Envelope, context: RequestContext): Promise<unknown> {
  if (lookUp(agentRequests, it.type) === undefined) {
    throw new SlError('E_UNKNOWN_TYPE', `this agent does not know the message ${JSON.stringify(it.type)}`);
  }
  return handle(handlers, it.type as RequestType, it, context);
}

async function handle<T extends RequestType>(
  handlers: Handlers,
  type: T,
  it: Envelope,
  context: RequestContext,
): Promise<ReplyBody<T>> {
  const schema: z.ZodMiniType = agentRequests[type].request;
  // The table pairs each type with its schema, which the compiler cannot follow through the index.
  const body = parseBody(schema, it) as RequestBody<T>;
  return handlers[type](body, context);
}
