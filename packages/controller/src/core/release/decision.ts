/** The decision of a rollout: the map that its commit writes, and whether it has been written. */
import type { ActiveMap } from '@silverlining/protocol';
import { sameValue } from '../same-value.ts';
import type { InForce } from './dispute.ts';
import type { RolloutApp } from './rollout-state.ts';

/** `back` restores what served before the rollout, for all of its apps together. Other apps stay as they are. */
export function decidedMap(
  active: ActiveMap,
  apps: readonly Pick<RolloutApp, 'app' | 'instance' | 'previous'>[],
  direction: 'forward' | 'back',
): ActiveMap {
  const decided = { ...active };
  for (const { app, instance, previous } of apps) {
    const next = direction === 'forward' ? instance : previous;
    if (next === null) delete decided[app];
    else decided[app] = next;
  }
  return decided;
}

/** Whether the row has the map, from a commit after `before`. Only who holds the lease commits. */
export function isDecided(row: InForce | undefined, before: number, map: ActiveMap): boolean {
  return row !== undefined && row.epoch > before && sameValue(row.active, map);
}
