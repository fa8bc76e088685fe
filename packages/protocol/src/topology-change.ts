/** What differs between two topologies. That of 1,000 nodes has 150 KB, and most changes concern a line of it. */
import * as z from 'zod/mini';
import { type Topology, topology, topologyNode } from './topology.ts';

export const topologyDifference = z.object({
  /** Generation of the topology that it starts from, and of the one that comes of it. */
  base: z.int(),
  generation: z.int(),
  /** Everything but the nodes, where it differs. */
  parts: z.partial(z.omit(topology, { version: true, set: true, generation: true, nodes: true })),
  /** The nodes from `at` on: so many are taken out, and these are put there. */
  nodes: z.object({
    at: z.int().check(z.minimum(0)),
    remove: z.int().check(z.minimum(0)),
    insert: z.array(topologyNode),
  }),
});
export type TopologyDifference = z.infer<typeof topologyDifference>;

/** How to get from one topology of a set to another one of it. */
export function topologyChange(before: Topology, after: Topology): TopologyDifference {
  const { version, set, generation, nodes, ...parts } = after;
  const known = new Map<string, unknown>(Object.entries(before));
  const differing = Object.entries(parts).filter(([key, value]) => !same(value, known.get(key)));
  return {
    base: before.generation,
    generation,
    parts: topologyDifference.shape.parts.parse(Object.fromEntries(differing)),
    nodes: splice(before.nodes, nodes),
  };
}

/** The topology after the change. Keys keep their order, so that its JSON is the same at both ends. */
export function changedTopology(before: Topology, { generation, parts, nodes }: TopologyDifference): Topology {
  const { at, remove, insert } = nodes;
  const rest = before.nodes.slice(at + remove);
  return topology.parse({ ...before, ...parts, generation, nodes: [...before.nodes.slice(0, at), ...insert, ...rest] });
}

/** All between what both begin with and what both end with. */
function splice<T>(before: readonly T[], after: readonly T[]): { at: number; remove: number; insert: T[] } {
  const shorter = Math.min(before.length, after.length);
  let at = 0;
  while (at < shorter && same(before[at], after[at])) at++;
  let end = 0;
  while (end < shorter - at && same(before.at(-1 - end), after.at(-1 - end))) end++;
  return { at, remove: before.length - at - end, insert: after.slice(at, after.length - end) };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
