/** A node's disk and processes: what outlives its agent, and what a power cut leaves of it. */
import type { CommittedMap, InstanceJournal, TrafficBaseline } from '../../packages/agent/src/core/release/journal.ts';
import type { Listing } from '../../packages/agent/src/core/release/listing.ts';
import type { ActiveMap, Topology } from '../../packages/protocol/src/index.ts';

/** Times until which something is wrong with the node. */
export interface Ailments {
  /** Apps answer 503. */
  sick: number;
  /** Processes of apps end again and again, and are started again. */
  crashes: number;
  /** `update_fetch` is answered with 500. */
  hooks: number;
  /** Nothing can be written. */
  disk: number;
  /** HAProxy does not answer. */
  balancer: number;
  /** No connection to any controller can be made. */
  cut: number;
}

export class NodeMachine {
  readonly name: string;
  readonly #roles: ReadonlySet<string>;
  topology: Topology;
  readonly ailments: Ailments = { sick: 0, crashes: 0, hooks: 0, disk: 0, balancer: 0, cut: 0 };
  /** Small files that are synced when they are written. */
  readonly journals = new Map<string, InstanceJournal>();
  committed: CommittedMap | undefined;
  baseline: TrafficBaseline | undefined;
  /** Releases by instance; those that were not synced do not survive a power cut. */
  readonly releases = new Map<string, { listing: Listing; isSynced: boolean }>();
  /** Environment files by instance, each with the port that it says. */
  readonly environments = new Map<string, number>();
  readonly units = new Set<string>();
  enabled: ReadonlySet<string> = new Set();
  /** Instances whose process runs. */
  readonly running = new Set<string>();
  /** Instances whose process a power cut took, until they serve again. */
  readonly lost = new Set<string>();
  /** What Apache can be asked for by instance, and whether balancers may ask it at all. */
  served: ReadonlyMap<string, number> = new Map();
  isReady = false;
  /** Apache's own map of what is active. */
  active: ActiveMap = {};
  /** HAProxy's map: as it routes, and the file that it reads when it is started again. */
  routes: ActiveMap = {};
  routesFile: ActiveMap = {};
  /** Whether the agent has been told of the topology: without it a node knows of no role. */
  isTold = true;
  /** Its disk was replaced by an empty one, and nobody has brought it what is live since. */
  isWiped = false;
  isPowered = true;
  /** Since a power cut, until the agent has said whether the node may get requests. */
  isBooting = false;
  hasBooted = false;

  constructor(name: string, topology: Topology) {
    this.name = name;
    this.topology = topology;
    this.#roles = new Set(topology.nodes.find((it) => it.name === name)?.roles);
  }

  hasRole(role: 'appserver' | 'balancer'): boolean {
    return this.#roles.has(role);
  }

  powerCut(): void {
    for (const [instance, release] of this.releases) if (!release.isSynced) this.releases.delete(instance);
    for (const instance of this.running) this.lost.add(instance);
    this.running.clear();
    this.isPowered = false;
  }

  /** The machine comes back with an empty disk, as a new one of the same name. */
  wipe(): void {
    this.powerCut();
    for (const there of [this.journals, this.releases, this.environments, this.units]) there.clear();
    [this.committed, this.baseline] = [undefined, undefined];
    [this.enabled, this.served] = [new Set(), new Map()];
    [this.active, this.routes, this.routesFile] = [{}, {}, {}];
    [this.isReady, this.isTold] = [false, false];
    this.isWiped = true;
  }

  boot(): void {
    if (this.isPowered) return;
    this.isPowered = true;
    this.isBooting = true;
    this.hasBooted = true;
    this.routes = this.routesFile;
    for (const instance of this.enabled) {
      if (this.units.has(instance) && this.releases.has(instance)) this.running.add(instance);
    }
  }
}
