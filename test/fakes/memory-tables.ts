/** The rows of a store in memory. */
import type { DeployRow, Lease, NodeRecord, ReleaseRecord, SetRecord } from '../../packages/controller/src/ports.ts';
import { SlError } from '../../packages/protocol/src/index.ts';

interface Fence {
  epoch: number;
  token: number;
  heardEpoch: number;
  committed: boolean;
}

export const NO_FENCE: Fence = { epoch: 0, token: 0, heardEpoch: 0, committed: false };

export type SetRow = Omit<SetRecord, 'epoch' | 'heardEpoch' | 'committed'>;

export interface Tables {
  sets: Map<string, SetRow>;
  /** Outlive their sets. */
  fences: Map<string, Fence>;
  leases: Map<string, Lease>;
  nodes: Map<string, NodeRecord>;
  releases: ReleaseRecord[];
  deploys: Map<string, DeployRow>;
  secrets: Map<string, { set: string; name: string; value: string }>;
}

/** Other tables with the same rows, which are replaced and never changed; without any, empty ones. */
export function tablesOf({
  sets,
  fences,
  leases,
  nodes,
  releases = [],
  deploys,
  secrets,
}: Partial<Tables> = {}): Tables {
  return {
    ...{ sets: new Map(sets), fences: new Map(fences), leases: new Map(leases), nodes: new Map(nodes) },
    ...{ releases: [...releases], deploys: new Map(deploys), secrets: new Map(secrets) },
  };
}

export function need(tables: Tables, set: string): SetRow {
  const row = tables.sets.get(set);
  if (row === undefined) throw new SlError('E_NOT_FOUND', `set ${set} does not exist`);
  return row;
}
