import {
  agentNotices,
  decode,
  type Envelope,
  encode,
  lookUp,
  type NoticeType,
  negotiate,
  type OrderSeal,
  orderText,
  parseBody,
  type ReplyBody,
  type RequestType,
  SlError,
  toWireError,
} from '@silverlining/protocol';
import type { RawData, WebSocket } from 'ws';
import * as z from 'zod/mini';
import type { AgentSession, Clock, NodeRecord, RequestOptions } from '../../ports.ts';
import type { SigningKey } from '../signing-key.ts';
import type { Flow } from './flow.ts';
import { type Heartbeat, startHeartbeat } from './heartbeat.ts';
import { disconnected } from './limit.ts';
import type { Log } from './log.ts';
import { Outbox } from './outbox.ts';
import { PendingRequests, type RequestInput, type Seal } from './requests.ts';
import { type AgentServerSettings, CLOSE } from './settings.ts';

export interface SessionDeps {
  clock: Clock;
  settings: AgentServerSettings;
  random(): number;
  log: Log;
  signingKey: SigningKey;
  flow: Flow;
}

export interface SessionListener {
  hello(session: ControlSession, agent: AgentSession): void;
  health(session: ControlSession, agent: AgentSession): void;
  /** Once; nothing is received or sent afterwards. */
  ended(session: ControlSession, error: SlError): void;
}

/** Read before the whole hello: an agent of another version may say in it what this one does not know. */
const versions = z.object({ protocol: z.int(), minProtocol: z.int() });

/**
 * One control socket of a node that the gate let in: first its hello, then messages both ways until it ends. Whatever
 * comes is the node's of the certificate; no message says who speaks.
 */
export class ControlSession {
  readonly node: NodeRecord;
  /** When it was let in, monotonic milliseconds. */
  readonly connectedAt: number;
  readonly #remoteAddress: string;
  readonly #socket: WebSocket;
  readonly #outbox: Outbox;
  readonly #deps: SessionDeps;
  readonly #listener: SessionListener;
  readonly #requests: PendingRequests;
  readonly #heartbeat: Heartbeat;
  readonly #helloTimer: NodeJS.Timeout;
  readonly #notices: { [T in NoticeType]: (it: Envelope) => void } = {
    hello: (it) => this.#hello(it),
    health: (it) => this.#health(it),
    progress: (it) => this.#requests.progress(it),
  };
  #agent: AgentSession | undefined;
  #badFrames = 0;
  #count = 0;
  #ended = false;

  constructor(
    { socket, node, remoteAddress }: { socket: WebSocket; node: NodeRecord; remoteAddress: string },
    deps: SessionDeps,
    listener: SessionListener,
  ) {
    this.node = node;
    this.connectedAt = deps.clock.monotonic();
    this.#remoteAddress = remoteAddress;
    this.#socket = socket;
    this.#outbox = new Outbox(socket, deps.flow);
    this.#deps = deps;
    this.#listener = listener;
    this.#requests = new PendingRequests(
      node.name,
      (frame) => this.#send(frame),
      (order) => this.#seal(order),
    );
    this.#heartbeat = startHeartbeat(socket, deps, (reason) => this.#giveUp(reason));
    this.#helloTimer = setTimeout(() => this.end(CLOSE.noHello, 'no hello in time'), deps.settings.hello);
    socket.on('message', (data, binary) => this.#receive(data, binary));
    // Frames that break the WebSocket protocol (too large, bad UTF-8): ws closes with the code for it.
    socket.on('error', (error) => deps.log.warn({ node: node.name, error: error.message }, 'bad frame from an agent'));
    socket.on('close', (code) => this.#finish(`its connection closed with code ${code}`));
  }

  /** The agent as it is known since its hello; undefined before that and after the end. */
  get agent(): AgentSession | undefined {
    return this.#ended ? undefined : this.#agent;
  }

  request<T extends RequestType>(type: T, body: RequestInput<T>, options: RequestOptions): Promise<ReplyBody<T>> {
    if (this.#ended) return Promise.reject(disconnected(this.node.name, 'its connection ended'));
    return this.#requests.ask(type, body, options);
  }

  /** Closes the socket. From now on nothing that still comes over it counts. */
  end(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.#finish(reason);
  }

  /** Over whom it is for as well, and this session's challenge: it is of no use to anybody else, or at another time. */
  #seal({ sequence, type, digest }: Parameters<Seal>[0]): OrderSeal | undefined {
    const trust = this.#agent?.hello.trust;
    if (trust === undefined) return undefined;
    const { set, uuid } = this.node;
    const text = orderText({ set, node: uuid, challenge: trust.challenge, sequence, type, digest });
    return { sequence, signature: this.#deps.signingKey.sign(text) };
  }

  #finish(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#heartbeat.stop();
    clearTimeout(this.#helloTimer);
    this.#outbox.drop();
    const error = disconnected(this.node.name, reason);
    this.#requests.failAll(error);
    this.#listener.ended(this, error);
  }

  #giveUp(reason: string): void {
    // No close handshake with an end that does not read.
    this.#socket.terminate();
    this.#finish(reason);
  }

  #send(frame: string): void {
    const { maxBuffered } = this.#deps.settings;
    if (this.#ended || this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#outbox.waiting > maxBuffered) this.#giveUp(`it left more than ${maxBuffered} bytes unread`);
    else this.#outbox.send(frame);
  }

  #receive(data: RawData, binary: boolean): void {
    if (this.#ended) return;
    this.#heartbeat.heard();
    let it: Envelope | undefined;
    try {
      if (binary) throw new SlError('E_FRAME', 'binary frames do not belong on the control socket');
      it = decode(String(data));
      this.#dispatch(it);
    } catch (error) {
      this.#complain(error, it?.id);
      this.#badFrames += 1;
      if (this.#badFrames >= this.#deps.settings.badFrames) this.end(CLOSE.badFrames, 'too many bad frames');
    }
  }

  #dispatch(it: Envelope): void {
    const isReply = it.type === 'result' || it.type === 'error';
    const handle = lookUp(this.#notices, it.type);
    if (!isReply && handle === undefined) {
      const type = JSON.stringify(it.type);
      this.#complain(new SlError('E_UNKNOWN_TYPE', `this controller does not know the message ${type}`), it.id);
    } else if (this.#agent === undefined && it.type !== 'hello') {
      this.end(CLOSE.noHello, 'hello must come first');
    } else if (isReply) {
      this.#requests.settle(it);
    } else {
      handle?.(it);
    }
  }

  #hello(it: Envelope): void {
    if (this.#agent !== undefined) throw new SlError('E_FRAME', 'hello was said already');
    try {
      negotiate(parseBody(versions, it));
    } catch (error) {
      if (!(error instanceof SlError) || error.code !== 'E_VERSION') throw error;
      this.#complain(error, it.id);
      this.end(CLOSE.version, 'no common protocol version');
      return;
    }
    const hello = parseBody(agentNotices.hello, it);
    clearTimeout(this.#helloTimer);
    this.#agent = {
      ...{ uuid: this.node.uuid, connectedAt: this.connectedAt, remoteAddress: this.#remoteAddress },
      ...{ hello, health: undefined },
    };
    this.#listener.hello(this, this.#agent);
  }

  #health(it: Envelope): void {
    if (this.#agent === undefined) return;
    this.#agent.health = parseBody(agentNotices.health, it);
    this.#listener.health(this, this.#agent);
  }

  /** Tells the agent what is wrong with a message of its own. */
  #complain(error: unknown, re: string | undefined): void {
    const { code, message } = toWireError(error);
    this.#deps.log.warn({ node: this.node.name, code, re }, message);
    const frame = { v: 1, id: `e${++this.#count}`, type: 'error', body: { code, message } } as const;
    this.#send(encode(re === undefined ? frame : { ...frame, re }));
  }
}
