/** Lines for /etc/hosts, on nodes and on the workstation. */
import { nodesWithRole, type Topology, type TopologyNode } from '@silverlining/protocol';

const LOCALHOST = 'localhost';

/** `ADDRESS NAME SHORT` of every node; the short name only where no other node could be meant. */
export function nodeHostsLines({ nodes }: Pick<Topology, 'nodes'>): string[] {
  const taken = new Map<string, number>();
  for (const name of nodes.flatMap((it) => [...new Set([it.name, shortName(it)])]))
    taken.set(name, (taken.get(name) ?? 0) + 1);
  return nodes.map((node) => {
    const short = shortName(node);
    const plain = short !== node.name && short !== LOCALHOST && taken.get(short) === 1;
    return [node.address, node.name, ...(plain ? [short] : [])].join(' ');
  });
}

/**
 * The nodes, and the hosts that the set answers for at its first balancer, or its first app server without one.
 * Nothing when the set leaves /etc/hosts alone.
 */
export function workstationHostsLines(topology: Topology): string[] {
  if (!topology.setEtcHosts) return [];
  const entry = nodesWithRole(topology.nodes, 'balancer')[0] ?? nodesWithRole(topology.nodes, 'appserver')[0];
  // glibc takes all lines of a name together: what does not listen here would be looked for in the set.
  const others = new Set([LOCALHOST, ...topology.nodes.map((it) => it.name)]);
  const hosts = [...topology.locations.map((it) => it.host), ...topology.aliases];
  const exact = [...new Set(hosts)].filter((it) => !it.startsWith('.') && it !== '*' && !others.has(it));
  const sites = entry === undefined ? [] : exact.map((host) => `${entry.address} ${host}`);
  return [...nodeHostsLines(topology), ...sites];
}

function shortName({ name }: TopologyNode): string {
  return name.split('.')[0] ?? name;
}
