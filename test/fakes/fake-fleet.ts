/** A `Fleet` of agents in memory: each answers as the test says, and what they were asked is kept in order. */
import type { AgentSession, Fleet, RequestOptions } from '../../packages/controller/src/ports.ts';
import { type NoticeBody, type RequestBody, type RequestType, SlError } from '../../packages/protocol/src/index.ts';

export interface Asked {
  uuid: string;
  type: RequestType;
  body: unknown;
}

type Answer = (body: never, options: RequestOptions) => unknown;
type Answers = { [T in RequestType]?: (body: RequestBody<T>, options: RequestOptions) => unknown };

interface FakeAgent {
  session: AgentSession;
  answers: Map<RequestType, Answer>;
}

export class FakeFleet implements Fleet {
  readonly asked: Asked[] = [];
  readonly #agents = new Map<string, FakeAgent>();
  readonly #dropped = new Map<string, FakeAgent>();
  readonly #listeners: ((session: AgentSession) => void)[] = [];
  /** When it is that agents connect: long ago, unless the test says otherwise. */
  now = 0;

  /** Connects an agent that answers with `answers`, and says its hello. */
  connect(uuid: string, answers: Answers, hello: Partial<NoticeBody<'hello'>> = {}): void {
    const session = sessionOf(uuid, hello, this.now);
    this.#agents.set(uuid, { session, answers: new Map(Object.entries(answers) as [RequestType, Answer][]) });
    for (const listener of this.#listeners) listener(session);
  }

  drop(uuid: string): void {
    const agent = this.#agents.get(uuid);
    if (agent !== undefined) this.#dropped.set(uuid, agent);
    this.#agents.delete(uuid);
  }

  /** Connects one again that was dropped, with what differs in its hello. */
  reconnect(uuid: string, hello: Partial<NoticeBody<'hello'>> = {}): void {
    const { answers, session } = this.#dropped.get(uuid) ?? {};
    this.connect(uuid, Object.fromEntries(answers ?? []) as Answers, { ...session?.hello, ...hello });
  }

  /** Bodies of the requests of one type, in order. */
  bodies<T extends RequestType>(type: T): RequestBody<T>[] {
    return this.asked.filter((it) => it.type === type).map((it) => it.body as RequestBody<T>);
  }

  session(uuid: string): AgentSession | undefined {
    return this.#agents.get(uuid)?.session;
  }

  async request<T extends RequestType>(uuid: string, type: T, body: unknown, options: RequestOptions): Promise<never> {
    const agent = this.#agents.get(uuid);
    if (agent === undefined) throw new SlError('E_NODE_DISCONNECTED', `${uuid} has no connection`);
    options.signal.throwIfAborted();
    this.asked.push({ uuid, type, body });
    const answer = agent.answers.get(type);
    if (answer === undefined) throw new SlError('E_UNKNOWN_TYPE', `${uuid} does not answer ${type}`);
    return (await untilAborted(answer(body as never, options), options.signal)) as never;
  }

  async turn(): Promise<void> {
    // There is always room in memory.
  }

  async waitFor(uuid: string): Promise<AgentSession> {
    const session = this.session(uuid);
    if (session === undefined) throw new SlError('E_DEADLINE', `${uuid} did not connect`);
    return session;
  }

  transfer(uuid: string): never {
    throw new SlError('E_INTERNAL', `this fleet has no bulk sockets, not to ${uuid} either`);
  }

  disconnect(uuid: string): void {
    this.drop(uuid);
  }

  isHeld(): boolean {
    return false;
  }

  onHello(listener: (session: AgentSession) => void): void {
    this.#listeners.push(listener);
  }
}

/** As the real one: nobody waits for an answer once the request was given up. */
function untilAborted(answer: unknown, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new SlError('E_ABORTED', 'the request was cancelled'));
    signal.addEventListener('abort', abort, { once: true });
    Promise.resolve(answer)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

function sessionOf(uuid: string, hello: Partial<NoticeBody<'hello'>>, connectedAt: number): AgentSession {
  const facts: NoticeBody<'hello'>['facts'] = {
    ...{ hostname: uuid, os: { id: 'debian', version: '12', name: 'Debian 12' }, arch: 'x64', cpus: 2 },
    ...{ memory: 1 << 30, bootId: 'boot', agentDigest: 'digest' },
  };
  return {
    ...{ uuid, connectedAt, remoteAddress: '192.0.2.1', health: undefined },
    hello: {
      ...{ protocol: 1, minProtocol: 1, version: '0.1.0', facts },
      ...{ generation: 0, epoch: 0, active: {}, instances: [], ...hello },
    },
  };
}
