import { SlError, type Topology } from '@silverlining/protocol';
import type { Handler, NodeView, StateFile } from '../ports.ts';

export interface TopologyKeeper {
  view: NodeView;
  generation(): number;
  handler: Handler<'topology'>;
}

/** Holds the newest topology, on disk before it is acknowledged. An older one than the node has is refused. */
export async function keepTopology(file: StateFile<Topology | undefined>, nodeName: string): Promise<TopologyKeeper> {
  let current = await file.read();
  return {
    view: { nodeName, topology: () => current },
    generation: () => current?.generation ?? 0,
    async handler({ topology }) {
      if (current !== undefined && current.set === topology.set && topology.generation < current.generation) {
        throw new SlError(
          'E_STALE_EPOCH',
          `topology ${topology.generation} is older than ${current.generation}, which this node has`,
        );
      }
      await file.write(topology);
      current = topology;
      return { generation: topology.generation };
    },
  };
}
