/** What the balancers counted around a switch. */
import type { DeployRecord } from '@silverlining/protocol';
import type { NodeRecord } from '../ports.ts';
import { type ControllerDeps, onEach } from './deps.ts';

const DEADLINE = 10_000;

/** Counters of all balancers added up; undefined where there is none to count. */
export async function trafficSince(
  deps: ControllerDeps,
  balancers: readonly NodeRecord[],
  signal: AbortSignal,
): Promise<DeployRecord['requests']> {
  if (balancers.length === 0) return undefined;
  const replies = await onEach(balancers, ({ uuid }) =>
    deps.fleet.request(uuid, 'traffic', { since: 0 }, { signal, deadline: DEADLINE }),
  );
  const releases: NonNullable<DeployRecord['requests']>['releases'] = {};
  for (const [instance, counted] of replies.flatMap((reply) => Object.entries(reply.releases))) {
    const sum = releases[instance] ?? { requests: 0, failed: 0 };
    releases[instance] = { requests: sum.requests + counted.requests, failed: sum.failed + counted.failed };
  }
  const failed = Object.values(releases).reduce((sum, it) => sum + it.failed, 0);
  return { releases, failed, stale: replies.reduce((sum, reply) => sum + reply.stale, 0) };
}
