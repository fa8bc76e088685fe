import {
  agentNotices,
  agentRequests,
  type Envelope,
  encode,
  encodeAround,
  MAX_CONTROLLER_FRAME,
  type Order,
  type OrderSeal,
  parseBody,
  type ReplyBody,
  type RequestType,
  SlError,
  wireError,
} from '@silverlining/protocol';
import type * as z from 'zod/mini';
import type { RequestOptions } from '../../ports.ts';
import { bodyText } from './body-text.ts';
import { watchLimits } from './limit.ts';

export type RequestInput<T extends RequestType> = z.input<(typeof agentRequests)[T]['request']>;

/** The table again, so typed that the compiler knows the reply of a type that is itself a parameter. */
const REPLIES: { [T in RequestType]: { reply: z.ZodMiniType<ReplyBody<T>> } } = agentRequests;

/** Signs an order; undefined for an agent that did not ask for that. */
export type Seal = (order: Pick<Order, 'sequence' | 'type' | 'digest'>) => OrderSeal | undefined;

interface Pending {
  finish(reply: Envelope): void;
  fail(error: SlError): void;
  progress: RequestOptions['onProgress'];
}

/** The requests on one control socket that wait for their reply. */
export class PendingRequests {
  readonly #node: string;
  readonly #send: (frame: string) => void;
  readonly #seal: Seal;
  readonly #pending = new Map<string, Pending>();
  #count = 0;

  constructor(node: string, send: (frame: string) => void, seal: Seal) {
    this.#node = node;
    this.#send = send;
    this.#seal = seal;
  }

  /**
   * Asks, and resolves with the parsed reply. The agent is told to stop when nobody waits for it any more. Nothing here keeps body or
   * frame once it is sent: thousands of nodes may take minutes for their answers.
   */
  ask<T extends RequestType>(type: T, body: RequestInput<T>, options: RequestOptions): Promise<ReplyBody<T>> {
    const sequence = ++this.#count;
    const id = `c${sequence}`;
    const reply = this.#reply({ id, type }, options);
    if (this.#pending.has(id)) this.#post(sequence, type, body);
    return this.#parsed(REPLIES[type].reply, reply);
  }

  #post(sequence: number, type: RequestType, body: object): void {
    const id = `c${sequence}`;
    try {
      const { text, digest } = bodyText(body);
      const frame = encodeAround(text, { v: 1, id, type, order: this.#seal({ sequence, type, digest }) });
      if (Buffer.byteLength(frame) > MAX_CONTROLLER_FRAME)
        throw new SlError('E_FRAME', `${type} is too large for a control frame`);
      this.#send(frame);
    } catch (error) {
      this.#pending.get(id)?.fail(withNode(error, this.#node));
    }
  }

  async #parsed<T>(schema: z.ZodMiniType<T>, reply: Promise<Envelope>): Promise<T> {
    const it = await reply;
    try {
      return parseBody(schema, it);
    } catch (error) {
      throw withNode(error, this.#node);
    }
  }

  /** A `result` or `error` frame. One that nobody waits for any more is no mistake of the agent. */
  settle(reply: Envelope): void {
    this.#pending.get(reply.re ?? '')?.finish(reply);
  }

  /** A `progress` frame; E_FRAME when it does not fit its schema. */
  progress(notice: Envelope): void {
    this.#pending.get(notice.re ?? '')?.progress?.(parseBody(agentNotices.progress, notice));
  }

  failAll(error: SlError): void {
    for (const pending of [...this.#pending.values()]) pending.fail(error);
  }

  #reply({ id, type }: { id: string; type: string }, options: RequestOptions): Promise<Envelope> {
    return new Promise((resolve, reject) => {
      if (options.signal.aborted) {
        reject(new SlError('E_ABORTED', `${type} was cancelled`, { details: { node: this.#node } }));
        return;
      }
      const forget = () => {
        stop();
        this.#pending.delete(id);
      };
      const stop = watchLimits(options, { what: type, node: this.#node }, (error) => {
        forget();
        this.#send(encode({ v: 1, id: `${id}x`, re: id, type: 'cancel', body: {} }));
        reject(error);
      });
      this.#pending.set(id, {
        progress: options.onProgress,
        fail: (error) => {
          forget();
          reject(error);
        },
        finish: (reply) => {
          forget();
          if (reply.type === 'result') resolve(reply);
          else reject(this.#errorOf(reply));
        },
      });
    });
  }

  #errorOf(reply: Envelope): SlError {
    try {
      return withNode(SlError.fromWire(parseBody(wireError, reply)), this.#node);
    } catch (error) {
      return withNode(error, this.#node);
    }
  }
}

/** The error with the node on which it happened, whatever the agent called itself. */
function withNode(thrown: unknown, node: string): SlError {
  const { code, message, details, cause } =
    thrown instanceof SlError ? thrown : new SlError('E_INTERNAL', String(thrown), { cause: thrown });
  return new SlError(code, message, { cause, details: { ...details, node } });
}
