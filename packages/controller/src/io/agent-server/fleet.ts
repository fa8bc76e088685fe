import type { ReplyBody, RequestType, SlError } from '@silverlining/protocol';
import type { WebSocket } from 'ws';
import type { AgentSession, Fleet, Ids, NodeRecord, RequestOptions, Store, Transfer } from '../../ports.ts';
import { Rivals } from './admission.ts';
import { Contacts } from './contacts.ts';
import { Flow } from './flow.ts';
import { disconnected, type Limits, watchLimits } from './limit.ts';
import type { RequestInput } from './requests.ts';
import { ControlSession, type SessionDeps } from './session.ts';
import { CLOSE } from './settings.ts';
import { Transfers } from './transfers.ts';

export interface FleetDeps extends Omit<SessionDeps, 'flow'> {
  store: Store;
  ids: Pick<Ids, 'token'>;
}

interface Waiter {
  after: number;
  resolve(agent: AgentSession): void;
}

/** The connected agents: one control connection a node. */
export class ConnectedFleet implements Fleet {
  readonly transfers: Transfers;
  readonly #deps: FleetDeps;
  readonly #flow = new Flow();
  readonly #rivals: Rivals;
  readonly #sessions = new Map<string, ControlSession>();
  readonly #contacts: Contacts;
  /** By node, so that a hello finds its own among those of thousands. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #helloListeners: ((session: AgentSession) => void)[] = [];

  constructor(deps: FleetDeps) {
    this.#deps = deps;
    this.transfers = new Transfers(deps.ids);
    this.#rivals = new Rivals(deps.settings.replacements, deps.settings.hold);
    this.#contacts = new Contacts(deps.store, deps.settings.touch, (error) => {
      deps.log.warn({ err: error }, 'times of contact could not be written');
    });
  }

  session(uuid: string): AgentSession | undefined {
    return this.#sessions.get(uuid)?.agent;
  }

  async waitFor(uuid: string, options: Limits & { after?: number }): Promise<AgentSession> {
    const { after = Number.NEGATIVE_INFINITY } = options;
    const node = await this.#nameOf(uuid);
    return new Promise((resolve, reject) => {
      const agent = this.session(uuid);
      if (agent !== undefined && agent.connectedAt > after) {
        resolve(agent);
        return;
      }
      const waiters = this.#waitersOf(uuid);
      const forget = () => {
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(uuid);
      };
      const waiter: Waiter = {
        after,
        resolve: (it) => {
          stop();
          forget();
          resolve(it);
        },
      };
      const stop = watchLimits(options, { what: 'waiting for its agent to connect', node }, (error) => {
        forget();
        reject(error);
      });
      waiters.add(waiter);
    });
  }

  turn(): Promise<void> {
    return this.#flow.turn();
  }

  /** Not `async`, as little as what it calls: such a function would keep the body for as long as the answer takes. */
  request<T extends RequestType>(
    uuid: string,
    type: T,
    body: RequestInput<T>,
    options: RequestOptions,
  ): Promise<ReplyBody<T>> {
    const session = this.#sessions.get(uuid);
    return session?.agent === undefined ? this.#absent(uuid) : session.request(type, body, options);
  }

  transfer(uuid: string, options: Limits): Transfer {
    const session = this.#sessions.get(uuid);
    if (session?.agent !== undefined) return this.transfers.expect(session.node, options);
    const socket = this.#absent(uuid);
    socket.catch(() => undefined);
    return { id: this.#deps.ids.token(24), socket, close: () => undefined };
  }

  disconnect(uuid: string, reason: string): void {
    this.#sessions.get(uuid)?.end(CLOSE.revoked, reason.slice(0, 100));
    this.transfers.endAll(uuid, disconnected(uuid, reason));
  }

  onHello(listener: (session: AgentSession) => void): void {
    this.#helloListeners.push(listener);
  }

  isHeld(node: NodeRecord): boolean {
    return this.#rivals.isHeld(identityOf(node), this.#deps.clock.monotonic());
  }

  /** Takes over an open socket of a node that the gate let in. A newer connection replaces the older one. */
  accept(socket: WebSocket, node: NodeRecord, remoteAddress: string): void {
    const older = this.#sessions.get(node.uuid);
    older?.end(CLOSE.replaced, 'the agent opened a newer connection');
    const session = new ControlSession(
      { socket, node, remoteAddress },
      { ...this.#deps, flow: this.#flow },
      {
        hello: (it, agent) => this.#greet(it, agent),
        health: ({ node: { uuid } }) => this.#contacts.heard(uuid, this.#deps.clock.now()),
        ended: (it, error) => this.#forget(it, error),
      },
    );
    this.#sessions.set(node.uuid, session);
    if (older !== undefined && this.#rivals.replaced(identityOf(node), this.#deps.clock.monotonic()))
      this.#hold(session);
  }

  /** Ends every connection, as the controller goes down, and writes when they were heard. */
  async endAll(): Promise<void> {
    await this.#contacts.flush();
    for (const session of [...this.#sessions.values()]) session.end(CLOSE.goingAway, 'the controller stops');
  }

  #hold(session: ControlSession): void {
    const { name, set, uuid } = session.node;
    const text = `two agents claim to be ${name}: both are held back. Was its disk copied? sl up enrols the right one again`;
    this.#deps.log.error({ alarm: 'identity', node: name, set, uuid }, text);
    session.end(CLOSE.replaced, 'two agents have this identity');
  }

  #greet(session: ControlSession, agent: AgentSession): void {
    const { name, set, uuid } = session.node;
    this.#deps.log.info(
      { node: name, set, version: agent.hello.version, from: agent.remoteAddress },
      'agent connected',
    );
    this.#contacts.hello(uuid, this.#deps.clock.now(), agent.hello.facts);
    for (const waiter of [...(this.#waiters.get(uuid) ?? [])]) {
      if (agent.connectedAt > waiter.after) waiter.resolve(agent);
    }
    for (const listener of this.#helloListeners) {
      try {
        listener(agent);
      } catch (error) {
        this.#deps.log.error({ node: name, err: error }, 'a listener for hello failed');
      }
    }
  }

  #waitersOf(uuid: string): Set<Waiter> {
    const known = this.#waiters.get(uuid) ?? new Set<Waiter>();
    this.#waiters.set(uuid, known);
    return known;
  }

  #forget(session: ControlSession, error: SlError): void {
    const { node } = session;
    this.#deps.log.info({ node: node.name, set: node.set }, error.message);
    // A newer connection may have taken its place already.
    if (this.#sessions.get(node.uuid) === session) this.#sessions.delete(node.uuid);
    this.transfers.endAll(node.uuid, error);
  }

  async #absent(uuid: string): Promise<never> {
    throw disconnected(await this.#nameOf(uuid), 'it has no connection');
  }

  async #nameOf(uuid: string): Promise<string> {
    return (await this.#deps.store.node(uuid))?.name ?? uuid;
  }
}

/** A node that was enrolled again is told from the copy of what it was before, which the gate refuses from then on. */
function identityOf({ uuid, certGeneration }: NodeRecord): string {
  return `${uuid} ${certGeneration}`;
}
