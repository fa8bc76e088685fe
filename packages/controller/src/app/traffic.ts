/** What the balancers counted around a switch. */
import type { DeployRecord, ReplyBody } from '@silverlining/protocol';
import type { NodeRecord } from '../ports.ts';
import { type ControllerDeps, onEach } from './deps.ts';

const DEADLINE = 10_000;

type Requests = NonNullable<DeployRecord['requests']>;
type Counters = Requests['releases'];

/**
 * Starts counting now; the function it returns says what has been counted since, over all balancers together. Undefined
 * where there is no balancer to count, or one did not answer: a record without figures is better than a failed deploy.
 */
export function countTraffic(
  deps: Pick<ControllerDeps, 'fleet' | 'log'>,
  balancers: readonly NodeRecord[],
): () => Promise<Requests | undefined> {
  const ask = async (): Promise<ReplyBody<'traffic'>[] | undefined> => {
    if (balancers.length === 0) return undefined;
    const options = { signal: AbortSignal.timeout(DEADLINE), deadline: DEADLINE };
    try {
      return await onEach(balancers, ({ uuid }) => deps.fleet.request(uuid, 'traffic', { since: 0 }, options));
    } catch (error) {
      deps.log.warn({ error: String(error) }, 'a balancer did not say what it counted');
      return undefined;
    }
  };
  const start = ask();
  return async () => {
    const [before, after] = [await start, await ask()];
    return before === undefined || after === undefined ? undefined : total(before, after);
  };
}

function total(before: readonly ReplyBody<'traffic'>[], after: readonly ReplyBody<'traffic'>[]): Requests {
  const releases: Counters = {};
  for (const [i, { releases: counted }] of after.entries()) {
    for (const [instance, now] of Object.entries(counted)) {
      const then = before[i]?.releases[instance];
      const sum = releases[instance] ?? { requests: 0, failed: 0 };
      const requests = sum.requests + growth(then?.requests, now.requests);
      const failed = sum.failed + growth(then?.failed, now.failed);
      if (requests + failed > 0) releases[instance] = { requests, failed };
    }
  }
  const failed = Object.values(releases).reduce((sum, it) => sum + it.failed, 0);
  return { releases, failed, stale: after.reduce((sum, reply) => sum + reply.stale, 0) };
}

/** A counter lower than before started again from 0: the balancer was reloaded. */
function growth(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before;
}
