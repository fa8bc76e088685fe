/** A `Store` in memory that passes the contract test of the real one (packages/controller/src/io/store/contract.ts). */
import { surplusDeploys } from '../../packages/controller/src/core/release/surplus-deploys.ts';
import type {
  CommitDecision,
  DeployRow,
  Lease,
  NodeRecord,
  ReleaseRecord,
  SetRecord,
  Store,
} from '../../packages/controller/src/ports.ts';
import { type ActiveMap, SlError } from '../../packages/protocol/src/index.ts';
import { kept } from './kept.ts';

interface Fence {
  epoch: number;
  token: number;
  heardEpoch: number;
  committed: boolean;
}

const NO_FENCE: Fence = { epoch: 0, token: 0, heardEpoch: 0, committed: false };

type SetRow = Omit<SetRecord, 'epoch' | 'heardEpoch' | 'committed'>;

interface Tables {
  sets: Map<string, SetRow>;
  /** Outlive their sets. */
  fences: Map<string, Fence>;
  leases: Map<string, Lease>;
  nodes: Map<string, NodeRecord>;
  releases: ReleaseRecord[];
  deploys: Map<string, DeployRow>;
  secrets: Map<string, { set: string; name: string; value: string }>;
}

export interface MemoryStore extends Store {
  /** Another store with the same rows. */
  copy(): MemoryStore;
  /** What stands of a set, and the ids of its deploys. */
  peek(set: string): { epoch: number; active: ActiveMap; deploys: string[] };
}

export function memoryStore(tables = tablesOf()): MemoryStore {
  return {
    ...sets(tables),
    ...nodes(tables),
    ...releases(tables),
    ...deploys(tables),
    ...leases(tables),
    ...secrets(tables),
    close: () => undefined,
    copy: () => memoryStore(tablesOf(tables)),
    peek: (set) => ({
      epoch: tables.fences.get(set)?.epoch ?? 0,
      active: tables.sets.get(set)?.active ?? {},
      deploys: deploysOf(tables, set).map((it) => it.id),
    }),
  };
}

/** Other tables with the same rows, which are replaced and never changed; without any, empty ones. */
function tablesOf({ sets, fences, leases, nodes, releases = [], deploys, secrets }: Partial<Tables> = {}): Tables {
  return {
    ...{ sets: new Map(sets), fences: new Map(fences), leases: new Map(leases), nodes: new Map(nodes) },
    ...{ releases: [...releases], deploys: new Map(deploys), secrets: new Map(secrets) },
  };
}

function sets(tables: Tables): Pick<Store, 'sets' | 'set' | 'putSet' | 'putTopology' | 'hearEpoch' | 'deleteSet'> {
  const fenced = (row: SetRow): SetRecord => {
    const { epoch, heardEpoch, committed } = tables.fences.get(row.name) ?? NO_FENCE;
    return { ...row, epoch, heardEpoch, committed };
  };
  const byName = (a: SetRow, b: SetRow) => (a.name < b.name ? -1 : 1);
  return {
    sets: async () => [...tables.sets.values()].sort(byName).map(fenced),
    set: async (name) => [...tables.sets.values()].filter((row) => row.name === name).map(fenced)[0],
    async putSet(name, config) {
      const row = { topology: undefined, active: {}, ...tables.sets.get(name), name, config: kept(config) };
      tables.sets.set(name, row);
      return fenced(row);
    },
    async putTopology(set, topology) {
      tables.sets.set(set, { ...need(tables, set), topology: kept(topology) });
    },
    async hearEpoch(set, epoch) {
      if (!tables.sets.has(set)) return;
      const fence = tables.fences.get(set) ?? NO_FENCE;
      tables.fences.set(set, { ...fence, heardEpoch: Math.max(fence.heardEpoch, epoch) });
    },
    async deleteSet(name) {
      tables.sets.delete(name);
      const fence = tables.fences.get(name);
      if (fence !== undefined) tables.fences.set(name, { ...fence, committed: false });
      for (const table of [tables.nodes, tables.deploys, tables.secrets]) {
        for (const [key, row] of table) if (row.set === name) table.delete(key);
      }
      tables.releases = tables.releases.filter(({ set }) => set !== name);
    },
  };
}

function nodes(tables: Tables): Pick<Store, 'nodes' | 'node' | 'putNode' | 'deleteNode' | 'touchNodes'> {
  const later = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
  const put = (node: NodeRecord) => {
    const old = tables.nodes.get(node.uuid);
    const merged = { ...node, lastSeen: later(node.lastSeen, old?.lastSeen), facts: node.facts ?? old?.facts };
    tables.nodes.set(node.uuid, kept(merged));
  };
  return {
    nodes: async (set) => [...tables.nodes.values()].filter((node) => node.set === set),
    node: async (uuid) => tables.nodes.get(uuid),
    async putNode(node) {
      need(tables, node.set);
      put(node);
    },
    async deleteNode(uuid) {
      tables.nodes.delete(uuid);
    },
    async touchNodes(contacts) {
      for (const { uuid, lastSeen, facts } of contacts) {
        const node = tables.nodes.get(uuid);
        if (node !== undefined) put({ ...node, lastSeen: later(node.lastSeen, lastSeen), facts: facts ?? node.facts });
      }
    },
  };
}

function releases(tables: Tables): Pick<Store, 'releases' | 'release' | 'putRelease' | 'deleteReleases'> {
  const isAt = (set: string, instance: string) => (it: ReleaseRecord) => it.set === set && it.instance === instance;
  const byAge = (a: ReleaseRecord, b: ReleaseRecord) => a.createdAt - b.createdAt || (a.instance < b.instance ? -1 : 1);
  return {
    async releases(set, app) {
      const found = tables.releases.filter((it) => it.set === set && (app === undefined || it.app === app));
      return found.sort(byAge).map(({ manifest: _, ...entry }) => entry);
    },
    release: async (set, instance) => tables.releases.find(isAt(set, instance)),
    async putRelease(release) {
      need(tables, release.set);
      const same = isAt(release.set, release.instance);
      tables.releases = [...tables.releases.filter((it) => !same(it)), kept(release)];
    },
    async deleteReleases(set, instances) {
      tables.releases = tables.releases.filter((it) => it.set !== set || !instances.includes(it.instance));
    },
  };
}

function deploys(tables: Tables): Pick<Store, 'deploys' | 'deploy' | 'putDeploy' | 'changeDeploys' | 'commit'> {
  return {
    deploys: async (set) => deploysOf(tables, set),
    deploy: async (id) => tables.deploys.get(id),
    async putDeploy(deploy) {
      need(tables, deploy.set);
      const isNew = !tables.deploys.has(deploy.id);
      tables.deploys.set(deploy.id, kept(deploy));
      if (isNew) forgetOld(tables, deploy);
    },
    async changeDeploys(set, change) {
      for (const row of change(deploysOf(tables, set))) tables.deploys.set(row.id, kept(row));
    },
    commit: async (decision) => commit(tables, decision),
  };
}

function deploysOf({ deploys }: Tables, set: string): DeployRow[] {
  return [...deploys.values()].filter((it) => it.set === set);
}

function forgetOld(tables: Tables, { set, app }: DeployRow): void {
  const oldestFirst = deploysOf(tables, set).filter((it) => it.app === app);
  const releases = tables.releases.filter((it) => it.set === set && it.app === app).map((it) => it.instance);
  for (const id of surplusDeploys(oldestFirst, new Set(releases))) tables.deploys.delete(id);
}

function commit(tables: Tables, { set, token, active, deploys, now }: CommitDecision): number {
  const fence = tables.fences.get(set);
  if (fence === undefined || tables.leases.get(set)?.token !== token) {
    throw new SlError('E_CONFLICT', `the lease on set ${set} was lost, so nothing was committed`);
  }
  const row = need(tables, set);
  const rows = deploys.map((id) => {
    const deploy = tables.deploys.get(id);
    if (deploy?.set === set && deploy.state !== 'ended') return deploy;
    throw new SlError('E_CONFLICT', `deploy ${id} has ended or is not known, so nothing was committed`);
  });
  for (const deploy of rows) tables.deploys.set(deploy.id, { ...deploy, state: 'committed' });
  const before = Object.values(row.active);
  const earlier = tables.releases.flatMap((it) => (it.set === set ? (it.committedAt ?? []) : []));
  const at = Math.max(now, ...earlier.map((it) => it + 1));
  tables.releases = tables.releases.map((release) => {
    const isActive = release.set === set && Object.values(active).includes(release.instance);
    return isActive && !before.includes(release.instance) ? { ...release, committedAt: at } : release;
  });
  tables.sets.set(set, { ...row, active: kept(active) });
  const epoch = Math.max(fence.epoch, fence.heardEpoch) + 1;
  tables.fences.set(set, { ...fence, epoch, committed: true });
  return epoch;
}

function leases(tables: Tables): Pick<Store, 'acquireLease' | 'releaseLease' | 'beatLease' | 'dropLeases'> {
  return {
    async acquireLease(set, holder, operation, since) {
      const held = tables.leases.get(set);
      if (held !== undefined) return { lease: { ...held }, granted: false };
      const fence = { ...(tables.fences.get(set) ?? NO_FENCE) };
      fence.token += 1;
      tables.fences.set(set, fence);
      const lease = { set, holder, operation, since, token: fence.token, beats: 0 };
      tables.leases.set(set, lease);
      return { lease: { ...lease }, granted: true };
    },
    async releaseLease(set, token) {
      if (tables.leases.get(set)?.token === token) tables.leases.delete(set);
    },
    async beatLease(set, token) {
      const held = tables.leases.get(set);
      if (held?.token === token) tables.leases.set(set, { ...held, beats: held.beats + 1 });
    },
    dropLeases: async () => tables.leases.clear(),
  };
}

function secrets(tables: Tables): Pick<Store, 'secret' | 'deleteSecrets'> {
  return {
    async secret(set, name, make) {
      need(tables, set);
      const key = JSON.stringify([set, name]);
      const value = tables.secrets.get(key)?.value ?? make();
      tables.secrets.set(key, { set, name, value });
      return value;
    },
    async deleteSecrets(set, prefix) {
      for (const [key, it] of tables.secrets) {
        if (it.set === set && it.name.startsWith(prefix)) tables.secrets.delete(key);
      }
    },
  };
}

function need(tables: Tables, set: string): SetRow {
  const row = tables.sets.get(set);
  if (row === undefined) throw new SlError('E_NOT_FOUND', `set ${set} does not exist`);
  return row;
}
