/** What a rollout left on a node that nobody finished. */
import type { ActiveMap, InstanceReport } from '@silverlining/protocol';
import type { DeployRow, ReleaseRecord } from '../../records.ts';

/** Instances on the node that are neither live, for it or for the row, nor were: those that may have been staged for nothing. */
export function neverLive(
  node: { active: ActiveMap; instances: readonly InstanceReport[] },
  active: ActiveMap,
  releases: readonly Pick<ReleaseRecord, 'instance' | 'committedAt'>[],
): string[] {
  const live = new Set(releases.filter((it) => it.committedAt !== undefined).map((it) => it.instance));
  for (const instance of [...Object.values(active), ...Object.values(node.active)]) live.add(instance);
  return node.instances.map((it) => it.instance).filter((instance) => !live.has(instance));
}

/**
 * Of those, the ones that can go at once: no deploy of theirs is under way, and none was switched back, because then a balancer
 * that has not heard of it may still route to it. Settling removes such ones when all balancers have.
 */
export function leftovers(
  instances: readonly string[],
  deploys: readonly Pick<DeployRow, 'instance' | 'state' | 'record'>[],
): string[] {
  const held = deploys.filter((it) => it.state !== 'ended' || it.record.outcome !== 'aborted');
  return instances.filter((instance) => !held.some((it) => it.instance === instance));
}
