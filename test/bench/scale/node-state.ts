/** What a simulated node answers: as a node does on which everything works and nothing has to be changed. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import {
  type ActiveMap,
  type AppAnswer,
  agentRequests,
  type Envelope,
  encodeBitmap,
  type HealthReport,
  INLINE_ARCHIVE,
  type InstanceReport,
  lookUp,
  type NoticeBody,
  parseBody,
  type ReplyBody,
  type RequestBody,
  type RequestType,
  SlError,
  VERSION,
} from '../../../packages/protocol/src/index.ts';
import type { ScaleAgent } from './identities.ts';

/** Receives the bytes of a bulk socket to their end. */
export type Receive = (transfer: string) => Promise<void>;

/** Of the two large bodies no more than is needed: what simulated nodes compute is taken from the controller's machine. */
const PUSHED = z.object({ topology: z.object({ generation: z.number() }) });
const WANTED = z.object({ resources: z.array(z.object({ type: z.string() })), watch: z.array(z.string()) });

const MEMORY = { used: 400 << 20, total: 1 << 30 };
const DISK = { used: 4e9, total: 2e10 };

/** What the node was told, or finds. */
export interface Surroundings {
  orderKey: string;
  agentDigest: string;
  /** Names of the app servers of its set. */
  appservers: readonly string[];
}

export class NodeState {
  readonly #agent: ScaleAgent;
  readonly #surroundings: Surroundings;
  readonly #files = new Set<string>();
  readonly #offers = new Map<string, { app: string; digest: string; files: string[] }>();
  readonly #instances = new Map<string, InstanceReport>();
  #generation = 0;
  #epoch = 0;
  #active: Record<string, string> = {};
  #watched: string[] = [];
  readonly #answers: { [T in RequestType]?: (it: Envelope, receive: Receive) => unknown } = {
    welcome: (it) => this.#hear(parseBody(agentRequests.welcome.request, it)),
    topology: (it) => {
      const { generation } = parseBody(PUSHED, it).topology;
      this.#generation = generation;
      return { generation };
    },
    'topology-change': (it) => {
      const { base, generation } = parseBody(agentRequests['topology-change'].request, it);
      if (base !== this.#generation) throw new SlError('E_CONFLICT', `this node has topology ${this.#generation}`);
      this.#generation = generation;
      return { generation };
    },
    converge: (it) => {
      const { resources, watch } = parseBody(WANTED, it);
      this.#watched = watch;
      return { reports: resources.map(({ type }, i) => ({ id: `${type}:${i}`, status: 'ok' })) };
    },
    offer: (it) => this.#offer(parseBody(agentRequests.offer.request, it)),
    stage: (it, receive) => this.#stage(parseBody(agentRequests.stage.request, it), receive),
    abort: (it) => {
      this.#instances.delete(parseBody(agentRequests.abort.request, it).instance);
      return {};
    },
    switch: (it) => ({ ...this.#hear(parseBody(agentRequests.switch.request, it)), at: Date.now() }),
    settle: (it) => this.#settle(parseBody(agentRequests.settle.request, it)),
    backends: () => ({ up: Object.fromEntries(this.#surroundings.appservers.map((name) => [name, true])) }),
    traffic: () => ({ releases: {}, stale: 0 }),
    probe: () => ({ health: this.health() }),
    serving: () => this.#serving(),
    retire: () => ({}),
  };

  constructor(agent: ScaleAgent, surroundings: Surroundings) {
    this.#agent = agent;
    this.#surroundings = surroundings;
  }

  hello(): NoticeBody<'hello'> {
    const { name, uuid } = this.#agent;
    return {
      ...{ protocol: 1, minProtocol: 1, version: VERSION, inlineArchive: INLINE_ARCHIVE },
      ...{ generation: this.#generation, epoch: this.#epoch },
      ...{ active: this.#active, instances: [...this.#instances.values()] },
      trust: { key: this.#surroundings.orderKey, challenge: randomBytes(24).toString('base64url') },
      facts: {
        ...{
          hostname: name,
          arch: 'x64',
          cpus: 2,
          memory: MEMORY.total,
          bootId: uuid,
          agentDigest: this.#surroundings.agentDigest,
        },
        os: { id: 'debian', version: '13', name: 'Debian GNU/Linux 13 (trixie)' },
      },
    };
  }

  health(): HealthReport {
    return {
      ...{ clock: Date.now(), load: 0.1, memory: MEMORY, disk: DISK },
      units: this.#watched.map((name) => ({ name, active: true, state: 'active' })),
      apps: this.#apps().map((it) => ({ ...it, restarts: 0 })),
      instances: [...this.#instances.values()],
      ...{ active: this.#active, epoch: this.#epoch, generation: this.#generation },
    };
  }

  /** The reply to a request. */
  async answer(it: Envelope, receive: Receive): Promise<unknown> {
    const answer = lookUp(this.#answers, it.type);
    if (answer === undefined) throw new Error(`a simulated node has no answer to ${it.type}`);
    return answer(it, receive);
  }

  #hear({ epoch, active }: { epoch: number; active: ActiveMap }): { epoch: number } {
    this.#epoch = epoch;
    this.#active = active;
    for (const report of this.#instances.values()) {
      report.state = active[report.app] === report.instance ? 'active' : 'staged';
    }
    return { epoch };
  }

  #offer({ instance, app, digest, manifest }: RequestBody<'offer'>): ReplyBody<'offer'> {
    const files = manifest?.files.map((it) => it.sha256) ?? [];
    this.#offers.set(instance, { app, digest, files });
    const lacking = files.flatMap((sha256, i) => (this.#files.has(sha256) ? [] : [i]));
    const missing = encodeBitmap(files.length, lacking);
    return { missing, free: DISK.total - DISK.used };
  }

  async #stage({ instance, transfer }: RequestBody<'stage'>, receive: Receive): Promise<ReplyBody<'stage'>> {
    const offered = this.#offers.get(instance);
    if (offered === undefined) throw new Error(`${instance} was never offered`);
    if (transfer !== undefined) await receive(transfer);
    for (const sha256 of offered.files) this.#files.add(sha256);
    this.#offers.delete(instance);
    this.#instances.set(instance, { app: offered.app, instance, state: 'staged', digest: offered.digest });
    return { port: 0, ms: { received: 1, unpacked: 1, started: 1, healthy: 1 } };
  }

  #settle({ app, keep }: RequestBody<'settle'>): ReplyBody<'settle'> {
    const gone = [...this.#instances.values()].filter((it) => it.app === app && !keep.includes(it.instance));
    const removed = gone.map((it) => it.instance);
    for (const instance of removed) this.#instances.delete(instance);
    return { stopped: removed, removed };
  }

  #serving(): ReplyBody<'serving'> {
    const instances = [...this.#instances.values()];
    return { epoch: this.#epoch, active: this.#active, instances, apps: this.#apps() };
  }

  #apps(): AppAnswer[] {
    return [...this.#instances.values()]
      .filter((it) => it.state === 'active')
      .map(({ app, instance }) => ({ app, instance, healthy: true, status: 200 }));
  }
}
