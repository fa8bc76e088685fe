/** The agents that one controller of the model is connected with. */
import type { AgentSession, Fleet, RequestOptions } from '../../packages/controller/src/ports.ts';
import {
  type NoticeBody,
  type ReplyBody,
  type RequestBody,
  type RequestType,
  SlError,
} from '../../packages/protocol/src/index.ts';
import type { AgentEnd, AgentSide, Outcome } from './agent-process.ts';
import type { Life } from './life.ts';
import type { Connection, End, Network } from './network.ts';
import type { Rules } from './rules.ts';

interface Pending {
  resolve(body: never): void;
  reject(error: unknown): void;
}

/** One connection, from the controller's side. */
class Session implements End {
  readonly life: Life;
  readonly uuid: string;
  readonly pending = new Map<string, Pending>();
  readonly #fleet: ModelFleet;
  agent: AgentSession | undefined;
  connection: Connection | undefined;

  constructor(fleet: ModelFleet, uuid: string) {
    this.life = fleet.life;
    this.uuid = uuid;
    this.#fleet = fleet;
  }

  closed(reason: string): void {
    this.#fleet.ended(this);
    for (const { reject } of [...this.pending.values()]) {
      reject(new SlError('E_NODE_DISCONNECTED', `${this.uuid}: ${reason}`, { details: { node: this.uuid } }));
    }
  }
}

export class ModelFleet implements Fleet {
  readonly life: Life;
  readonly #rules: Rules;
  readonly #sessions = new Map<string, Session>();
  readonly #listeners: ((session: AgentSession) => void)[] = [];
  #waiters: { uuid: string; after: number; resolve(agent: AgentSession): void }[] = [];
  #count = 0;

  constructor(life: Life, rules: Rules) {
    this.life = life;
    this.#rules = rules;
  }

  turn(): Promise<void> {
    return this.life.quick(() => undefined);
  }

  /** Takes a connection of a node's agent; the newest one counts. */
  accept(uuid: string, network: Network, end: AgentEnd): AgentSide {
    const session = new Session(this, uuid);
    const connection = network.connect(end, session);
    session.connection = connection;
    this.#ends.set(session, end);
    return {
      connection,
      hello: (hello) =>
        connection.send('controller', { kind: 'hello', subject: '' }, () => this.#hello(session, hello)),
      health: (health) =>
        connection.send('controller', { kind: 'health', subject: '' }, () => {
          if (session.agent !== undefined) session.agent.health = health;
        }),
      reply: (id, type, outcome) =>
        connection.send(
          'controller',
          { kind: `${type} done`, subject: outcome.ok ? '' : `(${outcome.error.message})` },
          () => this.#settle(session, id, outcome),
        ),
    };
  }

  readonly #ends = new WeakMap<Session, AgentEnd>();

  session(uuid: string): AgentSession | undefined {
    return this.#sessions.get(uuid)?.agent;
  }

  async request<T extends RequestType>(
    uuid: string,
    type: T,
    body: unknown,
    options: RequestOptions,
  ): Promise<ReplyBody<T>> {
    const session = this.#sessions.get(uuid);
    const end = session && this.#ends.get(session);
    if (session?.agent === undefined || end === undefined) {
      throw new SlError('E_NODE_DISCONNECTED', `${uuid} has no connection`, { details: { node: uuid } });
    }
    const id = `c${++this.#count}`;
    const order = { id, type, body: body as RequestBody<T> };
    this.#rules.told(uuid, type, body);
    const send = () =>
      session.connection?.send('agent', { kind: type, subject: describe(body) }, () => end.request(order));
    const cancel = () => session.connection?.send('agent', { kind: 'cancel', subject: type }, () => end.cancel(id));
    return this.#reply(session, { id, send, cancel }, options);
  }

  waitFor(uuid: string, options: { signal: AbortSignal; deadline: number; after?: number }): Promise<AgentSession> {
    const { after = Number.NEGATIVE_INFINITY } = options;
    return new Promise((resolve, reject) => {
      const agent = this.session(uuid);
      if (agent !== undefined && agent.connectedAt > after) return resolve(agent);
      const stop = this.#watch(options, (error) => {
        this.#waiters = this.#waiters.filter((it) => it !== waiter);
        reject(error);
      });
      const waiter = {
        ...{ uuid, after },
        resolve: (it: AgentSession) => {
          stop();
          resolve(it);
        },
      };
      this.#waiters.push(waiter);
    });
  }

  transfer(): never {
    throw new SlError('E_INTERNAL', 'nothing is missing on nodes of the model, so nothing is sent');
  }

  isHeld(): boolean {
    return false;
  }

  disconnect(uuid: string, reason: string): void {
    this.#sessions.get(uuid)?.connection?.close('controller', reason);
  }

  onHello(listener: (session: AgentSession) => void): void {
    this.#listeners.push(listener);
  }

  ended(session: Session): void {
    if (this.#sessions.get(session.uuid) === session) this.#sessions.delete(session.uuid);
  }

  #hello(session: Session, hello: NoticeBody<'hello'>): void {
    // A duplicate is refused, and so is one that comes over a connection that was replaced.
    if (session.agent !== undefined) return;
    this.#sessions.get(session.uuid)?.connection?.close('controller', 'replaced');
    const connectedAt = this.life.world.now;
    session.agent = { uuid: session.uuid, connectedAt, remoteAddress: '192.0.2.1', hello, health: undefined };
    this.#sessions.set(session.uuid, session);
    const waiting = this.#waiters.filter((it) => it.uuid === session.uuid && connectedAt > it.after);
    this.#waiters = this.#waiters.filter((it) => !waiting.includes(it));
    for (const waiter of waiting) waiter.resolve(session.agent);
    for (const listener of this.#listeners) listener(session.agent);
  }

  #settle(session: Session, id: string, outcome: Outcome): void {
    const pending = session.pending.get(id);
    if (outcome.ok) pending?.resolve(outcome.body as never);
    else pending?.reject(SlError.fromWire({ ...outcome.error, node: session.uuid }));
  }

  #reply<R>(
    session: Session,
    { id, send, cancel }: { id: string; send(): void; cancel(): void },
    options: RequestOptions,
  ): Promise<R> {
    return new Promise((resolve, reject) => {
      if (options.signal.aborted) return reject(new SlError('E_ABORTED', 'the request was cancelled'));
      const forget = () => {
        stop();
        session.pending.delete(id);
      };
      const stop = this.#watch(options, (error) => {
        forget();
        cancel();
        reject(error);
      });
      session.pending.set(id, {
        resolve(body) {
          forget();
          resolve(body);
        },
        reject(error) {
          forget();
          reject(error);
        },
      });
      send();
    });
  }

  /** As the real one: E_DEADLINE or E_ABORTED, once; returns what stops watching. */
  #watch({ signal, deadline }: { signal: AbortSignal; deadline: number }, end: (error: SlError) => void): () => void {
    let watching = true;
    const stop = () => {
      watching = false;
      signal.removeEventListener('abort', onAbort);
    };
    const give = (error: SlError) => {
      if (!watching || !this.life.alive) return;
      stop();
      end(error);
    };
    const onAbort = () => give(new SlError('E_ABORTED', 'the request was cancelled', { cause: signal.reason }));
    if (signal.aborted) queueMicrotask(onAbort);
    else signal.addEventListener('abort', onAbort, { once: true });
    this.life.world.after(deadline, () => give(new SlError('E_DEADLINE', `no answer in ${deadline} ms`)));
    return stop;
  }
}

function describe(body: unknown): string {
  const { epoch, active, instance, deploy, keep, running } = body as {
    epoch?: number;
    active?: Record<string, string>;
    instance?: string;
    deploy?: string;
    keep?: string[];
    running?: string[];
  };
  const parts = [
    instance,
    epoch === undefined ? undefined : `epoch ${epoch}`,
    active && `(${Object.values(active).join(' ')})`,
    keep && `keep ${keep.join(' ')}, running ${running?.join(' ')}`,
    deploy && `for ${deploy}`,
  ];
  return parts.filter((it) => it !== undefined).join(' ');
}
