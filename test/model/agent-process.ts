/** The real agent, its handlers and its releases, on a machine of the model and a link of the model. */
import { createAgent } from '../../packages/agent/src/app/agent.ts';
import { createHandlers } from '../../packages/agent/src/app/handlers.ts';
import { createHealth } from '../../packages/agent/src/app/health.ts';
import { createReleases } from '../../packages/agent/src/app/releases.ts';
import type {
  ControlSession,
  ConvergeHost,
  Handler,
  Handlers,
  Link,
  NodeProbe,
  SelfUpdate,
  SessionEnd,
} from '../../packages/agent/src/ports.ts';
import {
  type HealthReport,
  type NoticeBody,
  type ReplyBody,
  type RequestBody,
  type RequestType,
  SlError,
  type Trust,
  toSlError,
  toWireError,
  type WireError,
} from '../../packages/protocol/src/index.ts';
import type { Life } from './life.ts';
import type { Connection, End } from './network.ts';
import type { NodeMachine } from './node-machine.ts';
import { nodePorts } from './node-ports.ts';
import type { Rules } from './rules.ts';

/** What a request comes to, on its way back. */
export type Outcome = { ok: true; body: unknown } | { ok: false; error: WireError };

/** The agent's end of a connection, as a controller of the model calls it. */
export interface AgentEnd extends End {
  request<T extends RequestType>(request: { id: string; type: T; body: RequestBody<T> }): void;
  cancel(id: string): void;
}

/** What the agent sends over a connection. */
export interface AgentSide {
  connection: Connection;
  hello(body: NoticeBody<'hello'>): void;
  health(body: HealthReport): void;
  reply(id: string, type: RequestType, outcome: Outcome): void;
}

/** Opens a connection to a controller that listens; undefined when there is none to be reached. */
export type Dial = (end: AgentEnd) => AgentSide | undefined;

export interface AgentWorld {
  machine: NodeMachine;
  life: Life;
  rules: Rules;
  dial: Dial;
}

/** As `main.ts` puts the agent together. */
export async function runAgent(parts: AgentWorld): Promise<void> {
  const { machine, life, rules } = parts;
  const { world } = life;
  const log = (text: string) => world.note(life.name, text);
  const releases = createReleases(nodePorts(machine, life, rules));
  await releases.recover().catch((error: unknown) => log(`releases: ${toSlError(error).message}`));
  const generation = () => (machine.isTold ? machine.topology.generation : 0);
  const probe = nodeProbe(machine, life);
  const watched = { read: () => life.quick((): string[] => []), write: () => life.quick(() => undefined) };
  const health = createHealth({ probe, releases, watched, generation });
  const clock = {
    now: () => world.now,
    monotonic: () => world.now,
    random: () => world.random(),
    sleep: (ms: number, signal: AbortSignal) => life.sleep(ms, signal),
  };
  const link = createLink(parts);
  const agent = createAgent({ link, probe, releases, health, update: UPDATE, clock, generation, restart: ignore, log });
  const handlers = createHandlers({
    ...{ releases, health, probe, update: UPDATE, log, welcomed: agent.welcomed, leave: ignore, host: HOST },
    topology: {
      view: { nodeName: machine.name, topology: () => machine.topology },
      generation,
      handler: ({ topology }) =>
        life.call('topology', '', () => {
          machine.isTold = true;
          machine.topology = topology;
          return { generation: topology.generation };
        }),
      change: () => Promise.reject(new SlError('E_INTERNAL', 'topologies do not change here')),
    },
    due: { read: () => life.quick(() => []), write: () => life.quick(() => undefined) },
  });
  // Roles are another matter: nodes of the model are as theirs want them.
  const converge = async () => ({ reports: [] });
  await agent.run({ ...handlers, converge }, new AbortController().signal);
}

/** Whose orders all nodes take: that they are signed is another test's matter. */
export const TRUST: Trust = { key: 'the key', challenge: 'the challenge of all' };
const CANCELLED = new SlError('E_ABORTED', 'cancelled by the controller');

function createLink({ life, rules, machine, dial }: AgentWorld): Link {
  const { world } = life;
  return {
    validity: () => Promise.reject(new SlError('E_INTERNAL', 'certificates are another matter')),
    renew: () => Promise.reject(new SlError('E_INTERNAL', 'certificates are another matter')),
    async session({ handlers, opened }): Promise<SessionEnd> {
      await life.sleep(world.jitter(3), new AbortController().signal);
      return new Promise((resolve) => {
        const running = new Map<string, AbortController>();
        // A request that is late is one that was slow to be begun: what cancels it stays behind it, whatever else overtakes it.
        const cancelled = new Set<string>();
        const end: AgentEnd = {
          life,
          closed(reason) {
            for (const controller of running.values()) controller.abort(new SlError('E_ABORTED', 'the session ended'));
            resolve({ kind: 'closed', reason });
          },
          cancel(id) {
            cancelled.add(id);
            running.get(id)?.abort(CANCELLED);
          },
          request({ id, type, body }) {
            const controller = new AbortController();
            running.set(id, controller);
            if (cancelled.has(id)) controller.abort(CANCELLED);
            void serve(handlers, { type, body, signal: controller.signal }).then((outcome) => {
              running.delete(id);
              if (outcome.ok && type === 'stage') rules.voted(machine, (body as RequestBody<'stage'>).instance);
              session?.reply(id, type, outcome);
            });
          },
        };
        const session = dial(end);
        if (session === undefined) return resolve({ kind: 'closed', reason: 'no controller answers' });
        const notify: ControlSession['notify'] = (type, body) => {
          if (type === 'hello') session.hello(body as NoticeBody<'hello'>);
          else session.health(body as HealthReport);
        };
        opened({ notify, trust: TRUST }).catch(() => session.connection.close('agent', 'no hello'));
      });
    },
  };
}

async function serve<T extends RequestType>(
  handlers: Handlers,
  { type, body, signal }: { type: T; body: RequestBody<T>; signal: AbortSignal },
): Promise<Outcome> {
  const handler = handlers[type] as Handler<T>;
  const openTransfer = () => Promise.reject(new SlError('E_NODE_DISCONNECTED', 'no bulk sockets here'));
  try {
    const reply: ReplyBody<T> = await handler(body, { signal, progress: ignore, openTransfer });
    return { ok: true, body: reply };
  } catch (error) {
    return { ok: false, error: toWireError(error) };
  }
}

function nodeProbe(machine: NodeMachine, life: Life): NodeProbe {
  const usage = { used: 1, total: 2 };
  return {
    facts: (program) =>
      life.quick(() => ({
        ...{ hostname: machine.name, os: { id: 'debian', version: '12', name: 'Debian 12' }, arch: 'x64', cpus: 2 },
        ...{ memory: 2 ** 30, bootId: 'boot', ...program },
      })),
    measure: () => life.quick(() => ({ clock: life.world.now, load: 0, memory: usage, disk: usage, units: [] })),
    streamLogs: () => life.quick(ignore),
    forgetIdentity: () => life.quick(ignore),
    removeAgent: () => life.quick(ignore),
  };
}

const UPDATE: SelfUpdate = {
  program: { agentDigest: 'digest' },
  takeRuntime: async () => undefined,
  install: async () => undefined,
  begin: async () => 'nothing',
  confirm: async () => undefined,
  rollBack: async () => undefined,
};

const HOST: ConvergeHost = {
  open: () => {
    throw new SlError('E_INTERNAL', 'roles are another matter');
  },
  putBack: async () => [],
};

function ignore(): void {}
