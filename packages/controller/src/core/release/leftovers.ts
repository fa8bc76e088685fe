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
 * Of those, the ones that can go at once, with the deploys that they were staged by: each was aborted. One that was switched back may
 * still be what a balancer routes to that has not heard of it, and so may one of which this store knows nothing, because it is older
 * than that. Settling removes such ones when all balancers have answered.
 */
export function leftovers(
  instances: readonly string[],
  deploys: readonly Pick<DeployRow, 'id' | 'instance' | 'state' | 'record'>[],
): { instance: string; deploy: string }[] {
  return instances.flatMap((instance) => {
    const own = deploys.filter((it) => it.instance === instance);
    const isAborted = own.every((it) => it.state === 'ended' && it.record.outcome === 'aborted');
    return isAborted ? own.map(({ id }) => ({ instance, deploy: id })) : [];
  });
}
