/** The topology of a set: what every node is told about all the others. */
import type { ServerSet, Topology, TopologyNode, WantedNode } from '@silverlining/protocol';
import { sameValue } from './same-value.ts';

/** A node that exists. */
export interface ExistingNode {
  name: string;
  uuid: string;
  /** Undefined until the provider has said. */
  address: string | undefined;
}

export interface TopologyBasis {
  previous?: Topology | undefined;
  /** Where apps find services from now on: the set's nodes, unless some of these keep a service only until it has moved. */
  places?: readonly WantedNode[];
}

/**
 * The topology of the nodes that are wanted and exist. It is `previous` itself when nothing differs; otherwise its
 * generation is one higher.
 */
export function buildTopology(
  set: ServerSet,
  nodes: readonly ExistingNode[],
  { previous, places = set.nodes }: TopologyBasis = {},
): Topology {
  const existing = new Map(nodes.map((it) => [it.name, it]));
  const next: Topology = {
    version: 1,
    set: set.name,
    generation: previous?.generation ?? 0,
    baseDomain: set.baseDomain,
    setEtcHosts: set.setEtcHosts,
    nodes: set.nodes.flatMap(({ name, roles }): TopologyNode[] => {
      const { uuid, address } = existing.get(name) ?? {};
      return uuid === undefined || address === undefined ? [] : [{ name, uuid, address, roles: [...roles] }];
    }),
    services: set.services.map(({ name }) => ({
      name,
      nodes: places.filter((it) => it.roles.includes(`service:${name}`)).map((it) => it.name),
    })),
    apps: set.apps.map((it) => it.name),
    locations: set.locations,
    aliases: set.aliases,
  };
  if (previous !== undefined && sameValue(previous, next)) return previous;
  return { ...next, generation: next.generation + 1 };
}

/** No set gets there: a node that says so is broken, and following it would leave no generation to go on to. */
const GENERATION_MAX = 2 ** 40;

/**
 * The topology with a generation that no node takes for old news: a new one must be above all that nodes have, one that is
 * in force at least as high. They only have a higher one when the controller's state was lost or is older.
 */
export function aboveAll(topology: Topology, previous: Topology | undefined, generations: readonly number[]): Topology {
  const highest = Math.max(0, ...generations.filter((it) => it <= GENERATION_MAX));
  const wanted = topology === previous ? highest : highest + 1;
  return topology.generation >= wanted ? topology : { ...topology, generation: highest + 1 };
}
