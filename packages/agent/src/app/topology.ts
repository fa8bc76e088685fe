import { createHash } from 'node:crypto';
import { changedTopology, type RequestBody, SlError, type Topology } from '@silverlining/protocol';
import type { Handler, NodeView, StateFile } from '../ports.ts';
import type { Exclusive } from '../release-ports.ts';

export interface TopologyKeeper {
  view: NodeView;
  generation(): number;
  handler: Handler<'topology'>;
  change: Handler<'topology-change'>;
}

export interface TopologyDependencies {
  file: StateFile<Topology | undefined>;
  nodeName: string;
  exclusive: Exclusive;
}

/** Holds the newest topology, on disk before it is acknowledged. An older one than the node has is refused. */
export async function keepTopology({ file, nodeName, exclusive }: TopologyDependencies): Promise<TopologyKeeper> {
  let current = await file.read();
  const take = async (topology: Topology) => {
    if (current !== undefined && current.set === topology.set && topology.generation < current.generation) {
      throw new SlError(
        'E_STALE_EPOCH',
        `topology ${topology.generation} is older than ${current.generation}, which this node has`,
      );
    }
    await file.write(topology);
    current = topology;
    return { generation: topology.generation };
  };
  return {
    view: { nodeName, topology: () => current },
    generation: () => current?.generation ?? 0,
    // One after the other: the controller may send the next one while an older one is still being written.
    change: (body) => exclusive('topology', () => take(changed(current, body))),
    handler: ({ topology }) => exclusive('topology', () => take(topology)),
  };
}

/** E_CONFLICT when the change is not one of the topology that this node has, or leads to another one than it should. */
function changed(current: Topology | undefined, { digest, ...change }: RequestBody<'topology-change'>): Topology {
  if (current?.generation !== change.base) {
    throw new SlError('E_CONFLICT', `this node has topology ${current?.generation ?? 0}, not ${change.base}`);
  }
  const next = changedTopology(current, change);
  if (createHash('sha256').update(JSON.stringify(next)).digest('hex') === digest) return next;
  throw new SlError('E_CONFLICT', `topology ${change.base} of this node is not the one that the change is for`);
}
