/** A set whose machines and agents are in memory, for operations as a whole: what was done to it, and in which order. */
import type { ControllerDeps } from '../../packages/controller/src/app/deps.ts';
import { up } from '../../packages/controller/src/app/up.ts';
import { APP, nodeRecord, serverSet } from '../../packages/controller/src/io/store/contract-records.ts';
import type { Provider } from '../../packages/controller/src/ports.ts';
import type { OperationContext, ProgressReport } from '../../packages/controller/src/service.ts';
import {
  type ActiveMap,
  type InstanceReport,
  type ServerSet,
  SlError,
  type UpResult,
  type WantedNode,
} from '../../packages/protocol/src/index.ts';
import { FakeFleet } from './fake-fleet.ts';
import { ManualClock } from './manual-clock.ts';
import { memoryStore } from './memory-store.ts';

export const SET = 'shop';
const KEY = 'ours';

type Answers = Parameters<FakeFleet['connect']>[1];

export class SmallSet {
  readonly store = memoryStore();
  readonly fleet = new FakeFleet();
  readonly clock = new ManualClock();
  /** What was done that matters to visitors: `destroy NODE`, `stage INSTANCE`, `switch NODE`. */
  readonly done: string[] = [];
  readonly deps: ControllerDeps;
  /** Of the app's folder: another one is a release to deploy. */
  version = 1;
  /** Nodes on which every new release crashes. */
  readonly crashing = new Set<string>();
  /** Releases that crash again and again once they serve, and answer in between. */
  readonly looping = new Set<string>();
  /** Releases that do not answer once they serve. */
  readonly sick = new Set<string>();
  readonly #machines = new Set<string>();
  /** What each node has. */
  readonly #releases = new Map<string, InstanceReport[]>();
  #runs = 0;

  constructor() {
    const { store, fleet, clock } = this;
    this.deps = {
      ...{ store, fleet, clock, running: new Map(), held: new Set(), version: '0', orderKey: KEY, startedAt: 0 },
      ids: { uuid: () => 'new', token: () => 'token' },
      source: { scan: async () => this.#scanned() },
      providerFor: () => this.#provider(),
      agentUpdates: { wanted: async () => undefined, run: async () => 0 },
      hosts: { write: async () => false, current: async () => [], writable: async () => true },
      ...{ checkConfig: async () => undefined, prepareHost: async () => undefined, listen: async () => undefined },
      isAnotherFile: async () => true,
      ...{
        capacity: 100,
        url: () => '',
        thisMachine: () => ({ addresses: new Set(), bootId: '' }),
        log: { info: () => undefined, warn: () => undefined },
      },
      bootstrapper: { bootstrap: () => Promise.reject(new Error('no SSH here')) },
    } as unknown as ControllerDeps;
  }

  /** A machine whose agent is connected and does what it is told, unless `answers` say otherwise. */
  async add({ name, roles }: WantedNode, answers: Answers = {}): Promise<void> {
    const address = `192.0.2.${this.#machines.size + 1}`;
    this.#machines.add(name);
    const set = await this.store.set(SET);
    if (set === undefined) await this.store.putSet(SET, setOf([]));
    await this.store.putNode(nodeRecord(SET, name, { name, roles, state: 'enrolled', address, providerId: name }));
    const hello = { trust: { key: KEY, challenge: 'c' }, formerUnits: true, packageGuards: true };
    this.fleet.connect(name, this.#agent(name, answers), hello);
  }

  /** Takes the releases from a node. */
  lose(name: string): void {
    this.#releases.get(name)?.splice(0);
  }

  up(nodes: readonly WantedNode[], op: OperationContext = operation()): Promise<UpResult> {
    return this.passing(up(this.deps, op, { set: setOf(nodes), installHostPackages: false }));
  }

  /** Draining and waiting for balancers take no time of the test. */
  async passing<R>(work: Promise<R>): Promise<R> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    work.then(end, end);
    while (!isOver) await this.clock.advance(500);
    return work;
  }

  #agent(name: string, answers: Answers): Answers {
    let epoch = 0;
    let active: ActiveMap = {};
    const instances: InstanceReport[] = [];
    this.#releases.set(name, instances);
    return {
      topology: ({ topology }) => ({ generation: topology.generation }),
      'topology-change': ({ generation }) => ({ generation }),
      converge: () => ({ reports: [] }),
      serving: () => ({ epoch, active, instances, apps: this.#healthy(active) }),
      offer: () => ({ missing: '', free: 0 }),
      stage: ({ instance }) => {
        if (this.crashing.has(name)) throw new SlError('E_APP_CRASHED', 'it exited with 1');
        this.done.push(`stage ${instance}`);
        instances.push({ app: APP.name, instance, state: 'staged', digest: '' });
        return { port: 1, ms: { received: 0, unpacked: 0, started: 0, healthy: 0 } };
      },
      switch: (body) => {
        this.done.push(`switch ${name}`);
        ({ epoch, active } = body);
        return { epoch, at: this.clock.now() };
      },
      traffic: () => ({ releases: {}, stale: 0 }),
      backends: () => ({ up: Object.fromEntries([...this.#machines].map((it) => [it, true])) }),
      ...{ abort: () => ({}), hold: () => ({}), retire: () => ({}) },
      ...answers,
    };
  }

  #healthy(active: ActiveMap) {
    return Object.entries(active).map(([app, instance]) => {
      const run = this.looping.has(instance) ? `run ${this.#runs++}` : 'run';
      return { app, instance, healthy: !this.sick.has(instance), run };
    });
  }

  #scanned() {
    const file = { path: 'app/index.html', mode: 0o644, size: 1, sha256: `${this.version}`.repeat(64) };
    return { manifest: { version: 1, app: APP.name, files: [file], links: [] }, digest: file.sha256, bytes: 1 };
  }

  #provider(): Partial<Provider> {
    const nodes = [...this.#machines].map((name, i) => {
      const address = `192.0.2.${i + 1}`;
      const ssh = { host: address, port: 22, user: 'root' };
      return { id: name, uuid: name, name, address, state: 'running' as const, ssh };
    });
    return {
      keepsMachines: false,
      list: async () => nodes,
      sizes: async () => [],
      destroy: async (id) => {
        this.#machines.delete(id);
        this.done.push(`destroy ${id}`);
      },
    };
  }
}

export function operation(emit: (progress: ProgressReport) => void = () => undefined): OperationContext {
  return { operationId: 'up-1', by: 'somebody', signal: new AbortController().signal, emit };
}

export function setOf(nodes: readonly WantedNode[]): ServerSet {
  return { ...serverSet(SET), setEtcHosts: false, nodes: [...nodes] };
}
