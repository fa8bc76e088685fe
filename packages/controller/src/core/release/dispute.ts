/** What a node has in force, against what the controller's row says. */
import type { ActiveMap } from '@silverlining/protocol';
import { sameValue } from '../same-value.ts';

/** A committed map and the epoch that it was committed at. */
export interface InForce {
  epoch: number;
  active: ActiveMap;
}

/** What the controller's row says. Where nothing was ever committed under it, the epoch is only where the first commit goes on from. */
export interface Row extends InForce {
  committed?: boolean;
}

/** What a node has in force, and the newest epoch that it was told of, where it could not follow. */
export interface NodeInForce extends InForce {
  heardEpoch?: number | undefined;
}

/** The newest epoch that a node knows of. */
export function newestOf({ epoch, heardEpoch }: NodeInForce): number {
  return Math.max(epoch, heardEpoch ?? 0);
}

/**
 * Whether the node knows of what this controller never committed: a higher epoch, another map at the same one, or any map where
 * nothing was committed yet. So it is when the controller's state was lost, or brought back from an older copy, or the node comes
 * from another set. A node that is merely behind disputes nothing.
 */
export function disputes(row: Row, node: NodeInForce): boolean {
  if (newestOf(node) > row.epoch) return true;
  if (row.committed === false && Object.keys(node.active).length > 0) return true;
  return node.epoch === row.epoch && !sameValue(node.active, row.active);
}

/**
 * Apps that a node serves otherwise than the row says, of those that a commit about `changed` leaves as the row has them: it would
 * take away from visitors what they get, and nobody asked for that.
 */
export function overlooked(
  row: Row,
  node: NodeInForce,
  apps: { all: readonly string[]; changed: readonly string[] },
): string[] {
  if (!disputes(row, node)) return [];
  return apps.all.filter((app) => !apps.changed.includes(app) && node.active[app] !== row.active[app]);
}

/** The instance that serves an app: what the row says, or what nodes have that know of a later commit, where they agree. */
export function servedOf(row: Row, nodes: readonly NodeInForce[], app: string): string | null {
  const known = row.active[app] ?? null;
  const later = nodes.filter((it) => disputes(row, it)).map(({ active }) => active[app] ?? null);
  const [first = known] = later;
  return later.every((it) => it === first) ? first : known;
}

/** The epoch that orders which are no commit carry: below nothing that a node has seen. */
export function orderEpoch({ epoch, heardEpoch }: { epoch: number; heardEpoch: number }): number {
  return Math.max(epoch, heardEpoch);
}
