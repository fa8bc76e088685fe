/** A `Store` in memory that passes the contract test of the real one (packages/controller/src/io/store/contract.ts). */
import type { NodeRecord, ReleaseRecord, SetRecord, Store } from '../../packages/controller/src/ports.ts';
import type { ActiveMap } from '../../packages/protocol/src/index.ts';
import { kept } from './kept.ts';
import { deploys, deploysOf } from './memory-deploys.ts';
import { NO_FENCE, need, type SetRow, type Tables, tablesOf } from './memory-tables.ts';

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

function secrets(tables: Tables): Pick<Store, 'secret'> {
  return {
    async secret(set, name, make) {
      need(tables, set);
      const key = JSON.stringify([set, name]);
      const value = tables.secrets.get(key)?.value ?? make();
      tables.secrets.set(key, { set, name, value });
      return value;
    },
  };
}
