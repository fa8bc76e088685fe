/** One simulated agent: TLS 1.3 with a certificate of its own, the protocol, and the agent's own rules for coming back. */
import type { SecureContext } from 'node:tls';
import { WebSocket } from 'ws';
import { failuresAfter, reconnectDelay } from '../../../packages/agent/src/core/backoff.ts';
import { SERVER_NAME } from '../../../packages/controller/src/core/enrolment.ts';
import { decode, type Envelope, toWireError } from '../../../packages/protocol/src/index.ts';
import type { ScaleAgent } from './identities.ts';
import { NodeState, type Surroundings } from './node-state.ts';

/** Milliseconds of the agent's link: without a word from the controller it connects again. */
const SILENCE = 60_000;
const HEALTH_INTERVAL = 10_000;

export interface Observer {
  welcomed(): void;
  /** Opened, and not to be had: a connection that was refused or cut before the welcome. */
  turnedAway(reason: string): void;
  acknowledged(type: string, set: string): void;
}

export class SimulatedAgent {
  readonly #agent: ScaleAgent;
  readonly #url: string;
  readonly #context: SecureContext;
  readonly #observer: Observer;
  readonly #state: NodeState;
  #socket: WebSocket | undefined;
  #health: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #failures = 0;
  #welcomedAt: number | undefined;
  #count = 0;

  constructor(agent: ScaleAgent, link: Surroundings & { url: string; context: SecureContext }, observer: Observer) {
    this.#agent = agent;
    this.#url = link.url;
    this.#context = link.context;
    this.#observer = observer;
    this.#state = new NodeState(agent, link);
  }

  get isWelcome(): boolean {
    return this.#welcomedAt !== undefined;
  }

  connect(): void {
    const socket = this.#open('/v1/agent');
    this.#socket = socket;
    let reason = '';
    socket.on('open', () => {
      this.#send(socket, 'hello', this.#state.hello());
      this.#report(socket);
      this.#silence = setTimeout(() => socket.terminate(), SILENCE);
    });
    socket.on('ping', () => this.#silence?.refresh());
    socket.on('message', (data) => void this.#receive(socket, decode(String(data))));
    socket.on('error', (error) => {
      reason ||= 'code' in error ? String(error.code) : error.message;
    });
    socket.on('unexpected-response', (_request, response) => {
      reason = `HTTP ${response.statusCode}`;
      socket.terminate();
    });
    socket.on('close', (code) => this.#closed(reason || `close ${code}`));
  }

  stop(): void {
    clearTimeout(this.#again);
    this.#socket?.removeAllListeners('close');
    this.#socket?.on('error', () => undefined);
    this.#socket?.terminate();
    this.#forget();
  }

  #open(path: string): WebSocket {
    const { address } = this.#agent;
    return new WebSocket(this.#url + path, {
      ...{ servername: SERVER_NAME, secureContext: this.#context, localAddress: address, perMessageDeflate: false },
      handshakeTimeout: 30_000,
    });
  }

  #closed(reason: string): void {
    if (!this.isWelcome) this.#observer.turnedAway(reason);
    const lasted = this.#welcomedAt === undefined ? 0 : performance.now() - this.#welcomedAt;
    this.#forget();
    this.#failures = failuresAfter(this.#failures, lasted);
    this.#again = setTimeout(() => this.connect(), reconnectDelay(this.#failures, Math.random()));
  }

  #forget(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#health);
    this.#welcomedAt = undefined;
  }

  #report(socket: WebSocket): void {
    this.#send(socket, 'health', this.#state.health());
    this.#health = setTimeout(() => this.#report(socket), HEALTH_INTERVAL);
  }

  async #receive(socket: WebSocket, it: Envelope): Promise<void> {
    this.#silence?.refresh();
    if (it.type === 'cancel' || it.type === 'error') return;
    try {
      const reply = await this.#state.answer(it, (transfer) => this.#drain(transfer));
      this.#send(socket, 'result', reply, it.id);
      this.#answered(it);
    } catch (error) {
      this.#send(socket, 'error', toWireError(error), it.id);
    }
  }

  #answered({ type }: Envelope): void {
    this.#observer.acknowledged(type, this.#agent.set);
    if (type !== 'welcome' || this.isWelcome) return;
    this.#welcomedAt = performance.now();
    this.#observer.welcomed();
  }

  #send(socket: WebSocket, type: string, body: unknown, re?: string): void {
    const id = `a${++this.#count}`;
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ v: 1, id, re, type, body }));
  }

  /** Takes all that comes over a bulk socket, as unpacking it would. */
  #drain(transfer: string): Promise<void> {
    const socket = this.#open(`/v1/transfer/${transfer}`);
    return new Promise((resolve, reject) => {
      socket.on('message', () => undefined);
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
  }
}
