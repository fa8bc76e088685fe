/** Server sets, topologies and role contexts for tests: what is not given is plain. */
import type { App, Location, ServerSet, Topology, TopologyNode } from '@silverlining/protocol';
import { SET_SECRET } from '../../packages/controller/src/core/roles/app-secret.ts';
import type { RoleContext } from '../../packages/controller/src/core/roles/index.ts';
import { secretsNeeded } from '../../packages/controller/src/core/services/index.ts';
import { buildTopology } from '../../packages/controller/src/core/topology.ts';

export function anApp(name: string, more: Partial<App> = {}): App {
  return {
    name,
    dir: `/srv/${name}`,
    keep: 5,
    health: '/',
    healthTimeout: 60,
    processes: 0,
    env: {},
    platform: 'node',
    packages: [],
    updateFetch: [],
    services: {},
    ...more,
  };
}

/** `www.example.com/blog/ blog` as a location. */
export function aLocation(text: string): Location {
  const [url = '', app = ''] = text.split(' ');
  const slash = url.indexOf('/');
  return { host: url.slice(0, slash), path: url.slice(slash), app };
}

/** A set whose nodes are given as `app1: appserver, balancer`. */
export function aSet(nodes: readonly string[], more: Partial<ServerSet> = {}): ServerSet {
  return {
    name: 'shop',
    file: '/srv/silver.ini',
    baseDomain: 'shop.internal',
    setEtcHosts: true,
    controller: {},
    provider: { driver: 'local', options: {} },
    nodes: nodes.map((it) => {
      const [name = '', roles = ''] = it.split(': ');
      return { name: `${name}.shop.internal`, roles: roles.split(', ') };
    }),
    locations: [aLocation('www.example.com/ main')],
    aliases: [],
    apps: [anApp('main')],
    services: [],
    ...more,
  };
}

/** The set's topology with all its nodes there, at 10.0.0.1 and up. */
export function aTopology(set: ServerSet): Topology {
  const existing = set.nodes.map(({ name }, i) => ({ name, uuid: `uuid-${i + 1}`, address: `10.0.0.${i + 1}` }));
  return buildTopology(set, existing);
}

/** The context of the set's node of that short name. */
export function aContext(
  set: ServerSet,
  node: string,
  topology = aTopology(set),
): RoleContext & { node: TopologyNode } {
  const found = topology.nodes.find((it) => it.name.startsWith(`${node}.`));
  if (found === undefined) throw new Error(`no node ${node}`);
  const secrets = new Map([
    [SET_SECRET, 'the-secret-of-the-set'],
    ...secretsNeeded(set).map((it): [string, string] => [it, 'a-password-of-a-test']),
  ]);
  return { set, topology, node: found, os: { id: 'debian', version: '12' }, ipv6: true, agentPorts: [], secrets };
}
