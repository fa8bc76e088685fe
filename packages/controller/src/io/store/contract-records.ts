/** Records for the contract test of stores: small, and valid for the schemas that rows are read with. */
import type { App, InstanceSpec, ServerSet, Topology } from '@silverlining/protocol';
import type { DeployRow, NodeRecord, ReleaseEntry, ReleaseRecord } from '../../ports.ts';

export const DIGEST = 'a'.repeat(64);

export const APP: App = {
  name: 'blog',
  dir: '/srv/blog',
  keep: 3,
  health: '/',
  healthTimeout: 30,
  processes: 0,
  env: {},
  platform: 'static',
  packages: [],
  updateFetch: [],
  services: {},
};

export function serverSet(name: string): ServerSet {
  return {
    name,
    file: '/srv/silver.ini',
    baseDomain: `${name}.internal`,
    setEtcHosts: true,
    controller: {},
    provider: { driver: 'local', options: {} },
    nodes: [{ name: `app1.${name}.internal`, roles: ['appserver'] }],
    locations: [{ host: '*', path: '/', app: 'blog' }],
    aliases: [],
    apps: [APP],
    services: [],
  };
}

export function topology(set: string, generation: number): Topology {
  const { baseDomain, locations } = serverSet(set);
  return {
    version: 1,
    ...{ set, generation, baseDomain, setEtcHosts: true },
    ...{ nodes: [], services: [], apps: ['blog'], locations, aliases: [] },
  };
}

export function nodeRecord(set: string, uuid: string, changes: Partial<NodeRecord> = {}): NodeRecord {
  return {
    uuid,
    set,
    name: `${uuid}.${set}.internal`,
    roles: ['appserver', 'service:mysql'],
    providerId: undefined,
    address: undefined,
    state: 'enrolled',
    keyHash: undefined,
    certGeneration: 0,
    hostKeys: [],
    told: undefined,
    lastSeen: undefined,
    facts: undefined,
    ...changes,
  };
}

export function release(set: string, instance: string, changes: Partial<ReleaseRecord> = {}): ReleaseRecord {
  const spec: InstanceSpec = {
    ...{ app: 'blog', instance, platform: 'static', processes: 0, env: { A: 'ü"\\' }, packages: [] },
    health: { path: '/', host: 'blog.example', timeout: 30 },
  };
  const file = { path: 'app/index.html', mode: 0o644 as const, size: 3, sha256: DIGEST };
  return {
    ...{ instance, set, app: 'blog', digest: DIGEST, spec, config: APP, createdAt: 1000, committedAt: undefined },
    manifest: { version: 1, app: 'blog', files: [file], links: [] },
    ...changes,
  };
}

export function entryOf({ manifest: _, ...entry }: ReleaseRecord): ReleaseEntry {
  return entry;
}

export function deploy(set: string, id: string, instance: string, changes: Partial<DeployRow> = {}): DeployRow {
  const record = {
    ...{ id, app: 'blog', instance, previous: null, outcome: 'aborted' as const, epoch: 0 },
    files: { total: 1, sent: 1 },
    bytes: { total: 3, sent: 3, wire: 9 },
    ms: { total: 1.5, stage: 1, switch: 0, skew: 0 },
  };
  return { id, set, app: 'blog', instance, state: 'staging', record, startedAt: 1000, ...changes };
}
