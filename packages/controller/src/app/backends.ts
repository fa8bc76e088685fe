/** Waits until the balancers take the app servers for ones that answer: until then they answer visitors with 503. */
import { nodesWithRole, SlError, toSlError } from '@silverlining/protocol';
import type { NodeRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { type ControllerDeps, onEach } from './deps.ts';

/** Milliseconds; health checks come every second. */
const PATIENCE = 20_000;
const PAUSE = 250;
const DEADLINE = 10_000;

/**
 * Resolves when each balancer sends requests to every app server. One that it finds down after a while is a warning; none
 * that is up is E_APP_UNHEALTHY, since no visitor can be served then.
 */
export async function awaitBackends(
  deps: Pick<ControllerDeps, 'fleet' | 'clock'>,
  op: Pick<OperationContext, 'emit' | 'signal'>,
  nodes: readonly NodeRecord[],
): Promise<void> {
  const appservers = nodesWithRole(nodes, 'appserver').map(({ name }) => name);
  if (appservers.length === 0) return;
  await onEach(nodesWithRole(nodes, 'balancer'), async (balancer) => {
    const down = await stillDown(deps, { balancer, appservers, signal: op.signal }).catch(unknowable);
    if (down.length === 0) return;
    const text = `the balancer finds no answer at ${down.join(', ')}`;
    if (down.length === appservers.length) throw new SlError('E_APP_UNHEALTHY', text);
    op.emit({ status: 'warning', action: 'balancer', node: balancer.name, text });
  });
}

/** The app servers that the balancer does not find up, as soon as that is none of them, or when patience ends. */
async function stillDown(
  { fleet, clock }: Pick<ControllerDeps, 'fleet' | 'clock'>,
  { balancer, appservers, signal }: { balancer: NodeRecord; appservers: readonly string[]; signal: AbortSignal },
): Promise<string[]> {
  const end = clock.monotonic() + PATIENCE;
  for (;;) {
    const { up } = await fleet.request(balancer.uuid, 'backends', {}, { signal, deadline: DEADLINE });
    const down = appservers.filter((name) => up[name] !== true);
    if (down.length === 0 || clock.monotonic() >= end) return down;
    await clock.sleep(PAUSE, signal);
  }
}

/** The agent of the last version does not know the question. */
function unknowable(error: unknown): string[] {
  if (toSlError(error).code === 'E_UNKNOWN_TYPE') return [];
  throw error;
}
