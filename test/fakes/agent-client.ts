/** The agent's end of the controller's agent server, for tests: real TLS, real sockets, and every message by hand. */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Duplex } from 'node:stream';
import type { SecureVersion } from 'node:tls';
import { type ClientOptions, createWebSocketStream, WebSocket } from 'ws';
import { SERVER_NAME } from '../../packages/controller/src/core/enrolment.ts';
import {
  decode,
  type Envelope,
  type NoticeBody,
  type RequestType,
  type WireError,
} from '../../packages/protocol/src/index.ts';
import type { AgentIdentity } from './agent-identity.ts';

export interface AgentAddress {
  port: number;
  /** Trusted in place of the identity's own, for a client without one. */
  caPem?: string;
  agent?: AgentIdentity;
  maxVersion?: SecureVersion;
}

/** Why the server did not open a socket. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly error: WireError;

  constructor(answer: HttpAnswer) {
    super(`refused with ${answer.status}: ${answer.body}`);
    this.status = answer.status;
    this.headers = answer.headers;
    this.error = JSON.parse(answer.body);
  }
}

export interface HttpAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

type Answerer = (body: unknown, request: Envelope) => unknown;

/** An agent that is connected. Frames that no `answer` takes wait for `next`. */
export class AgentClient {
  readonly socket: WebSocket;
  /** How the connection ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #frames: Envelope[] = [];
  readonly #waiting: ((it: Envelope) => void)[] = [];
  readonly #answers = new Map<string, Answerer>();
  #count = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    socket.on('error', () => undefined);
    socket.on('message', (data) => this.#receive(decode(String(data))));
  }

  /** Sends a message and returns its id. */
  send(type: string, body: unknown, re?: string): string {
    const id = `a${++this.#count}`;
    this.socket.send(JSON.stringify({ v: 1, id, ...(re === undefined ? {} : { re }), type, body }));
    return id;
  }

  hello(changes: Partial<NoticeBody<'hello'>> = {}): void {
    this.send('hello', helloBody(changes));
  }

  /** The next frame from the controller. */
  next(): Promise<Envelope> {
    const frame = this.#frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Answers requests of a type from now on; a `WireError`-like throw is sent as the error. */
  answer(type: RequestType, answerer: Answerer): void {
    this.#answers.set(type, answerer);
  }

  close(): void {
    this.socket.terminate();
  }

  #receive(it: Envelope): void {
    const answerer = this.#answers.get(it.type);
    if (answerer !== undefined) this.send('result', answerer(it.body, it), it.id);
    else {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#frames.push(it);
      else waiting(it);
    }
  }
}

/** Opens the control socket, or any other path; throws `Refused` when the server answers with something else. */
export async function connectAgent(address: AgentAddress, path = '/v1/agent'): Promise<AgentClient> {
  return new AgentClient(await openSocket(address, path));
}

/** Opens the bulk socket of a transfer. */
export async function openTransfer(address: AgentAddress, id: string, how: ClientOptions = {}): Promise<Duplex> {
  return createWebSocketStream(await openSocket(address, `/v1/transfer/${id}`, how));
}

/** A plain request. */
export function httpRequest(address: AgentAddress, method: string, path: string): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const options = { ...tlsOptions(address), host: '127.0.0.1', port: address.port, method, path, agent: false };
    const call = request(options, (response) => readAnswer(response).then(resolve, reject));
    call.on('error', reject);
    call.end();
  });
}

export function helloBody(changes: Partial<NoticeBody<'hello'>> = {}): NoticeBody<'hello'> {
  return {
    ...{ protocol: 1, minProtocol: 1, version: '0.1.0', generation: 0, epoch: 0, active: {}, instances: [] },
    facts: {
      ...{ hostname: 'app1', arch: 'x64', cpus: 2, memory: 1 << 30, bootId: 'boot', agentDigest: 'a'.repeat(64) },
      os: { id: 'debian', version: '13', name: 'Debian GNU/Linux 13' },
    },
    ...changes,
  };
}

export function healthBody(changes: Partial<NoticeBody<'health'>> = {}): NoticeBody<'health'> {
  return {
    ...{ clock: 1000, load: 0.5, memory: { used: 1, total: 2 }, disk: { used: 1, total: 2 } },
    ...{ units: [], apps: [], instances: [], active: {}, epoch: 0, generation: 0 },
    ...changes,
  };
}

function openSocket(address: AgentAddress, path: string, how: ClientOptions = {}): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const url = `wss://127.0.0.1:${address.port}${path}`;
    const socket = new WebSocket(url, { ...how, ...tlsOptions(address), perMessageDeflate: false });
    socket.once('open', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
    socket.once('unexpected-response', (_request, response) => {
      readAnswer(response).then((answer) => reject(new Refused(answer)), reject);
    });
  });
}

function tlsOptions({ agent, caPem, maxVersion = 'TLSv1.3' }: AgentAddress) {
  const identity = agent === undefined ? {} : { key: agent.keyPem, cert: agent.certPem };
  return { ...identity, ca: caPem ?? agent?.caPem, servername: SERVER_NAME, maxVersion };
}

async function readAnswer(response: IncomingMessage): Promise<HttpAnswer> {
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}
