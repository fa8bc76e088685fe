/** What the model deploys, and onto what. */
import { createHash } from 'node:crypto';
import { APP, nodeRecord, serverSet } from '../../packages/controller/src/io/store/contract-records.ts';
import type { NodeRecord, ScannedRelease } from '../../packages/controller/src/ports.ts';
import { type App, manifestText, type ServerSet, type Topology } from '../../packages/protocol/src/index.ts';

export interface Shape {
  appservers: number;
  balancers: number;
  apps: number;
}

const SET = 'model';

export function appNames({ apps }: Shape): string[] {
  return ['blog', 'shop'].slice(0, apps);
}

/** The second app has no `update_fetch`, so that rollouts of both kinds occur. */
function appOf(name: string): App {
  const updateFetch: App['updateFetch'] = name === 'blog' ? [{ kind: 'path', path: '/migrate' }] : [];
  return {
    ...APP,
    name,
    dir: `/srv/${name}`,
    platform: 'node',
    runner: 'server.js',
    keep: 2,
    healthTimeout: 2,
    updateFetch,
  };
}

export function setOf(shape: Shape): ServerSet {
  const apps = appNames(shape).map(appOf);
  const locations = apps.map(({ name }) => ({ host: '*', path: `/${name}/`, app: name }));
  const nodes = nodeRecords(shape).map(({ name, roles }) => ({ name, roles }));
  return { ...serverSet(SET), setEtcHosts: false, nodes, apps, locations };
}

export function nodeRecords({ appservers, balancers }: Shape): NodeRecord[] {
  const many = (n: number, name: string, role: string) =>
    Array.from({ length: n }, (_, i) =>
      nodeRecord(SET, `${name}${i + 1}`, { name: `${name}${i + 1}`, roles: [role], state: 'enrolled' }),
    );
  return [...many(appservers, 'app', 'appserver'), ...many(balancers, 'bal', 'balancer')];
}

export function topologyOf(shape: Shape): Topology {
  const { baseDomain, locations } = setOf(shape);
  const nodes = nodeRecords(shape).map(({ name, uuid, roles }, i) => ({
    name,
    uuid,
    roles,
    address: `10.0.0.${i + 1}`,
  }));
  return {
    ...{ version: 1, set: SET, generation: 1, baseDomain, setEtcHosts: false, nodes, services: [] },
    ...{ apps: appNames(shape), locations, aliases: [] },
  };
}

/** The folder of an app at one of its versions. */
export function scan(app: string, version: number): ScannedRelease {
  const content = `${app} ${version}`;
  const file = { path: 'app/server.js', mode: 0o644 as const, size: content.length, sha256: sha256(content) };
  const manifest = { version: 1 as const, app, files: [file], links: [] };
  return { manifest, digest: sha256(manifestText(manifest)), bytes: content.length };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
