/** Tells nodes a new topology: to those that have the one before only what differs, which is little even among thousands. */
import { createHash } from 'node:crypto';
import { SlError, type Topology, topologyChange } from '@silverlining/protocol';
import pLimit from 'p-limit';
import type { Fleet, NodeRecord } from '../ports.ts';
import { onEach } from './deps.ts';

/** Whole topologies at a time: one of 1,000 nodes has 150 KB, and what is not sent yet is kept in memory. */
const WHOLE_AT_ONCE = 32;
const DEADLINE = 30_000;

export interface TopologyPush {
  topology: Topology;
  /** The one before, if there was one. */
  previous: Topology | undefined;
  signal: AbortSignal;
}

/** Resolves when every node has acknowledged it; otherwise throws one error that names all that did not. */
export async function pushTo(
  { fleet }: { fleet: Fleet },
  nodes: readonly NodeRecord[],
  { topology, previous, signal }: TopologyPush,
): Promise<void> {
  const options = { signal, deadline: DEADLINE };
  const limit = pLimit(WHOLE_AT_ONCE);
  const change = previous === undefined || previous === topology ? undefined : changeBetween(previous, topology);
  const body = { topology };
  const whole = (uuid: string) => limit(() => fleet.request(uuid, 'topology', body, options));
  await onEach(nodes, async ({ uuid }) => {
    if (change === undefined || generationOf(fleet, { uuid }) !== previous?.generation) return whole(uuid);
    try {
      return await fleet.request(uuid, 'topology-change', change, options);
    } catch (error) {
      if (!needsWhole(error)) throw error;
      return whole(uuid);
    }
  });
}

/** As last heard; a health report may lag behind by a push, which then is repeated harmlessly. */
export function generationOf(fleet: Fleet, { uuid }: Pick<NodeRecord, 'uuid'>): number | undefined {
  const session = fleet.session(uuid);
  return session?.health?.generation ?? session?.hello.generation;
}

function changeBetween(previous: Topology, next: Topology) {
  const digest = createHash('sha256').update(JSON.stringify(next)).digest('hex');
  return { ...topologyChange(previous, next), digest };
}

/** An agent of an older version, or one that has another topology than was thought. */
function needsWhole(error: unknown): boolean {
  return error instanceof SlError && (error.code === 'E_UNKNOWN_TYPE' || error.code === 'E_CONFLICT');
}
