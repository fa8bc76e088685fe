/** The last look before the decision: nothing is decided of which a node could not be told. */
import { type InstanceReport, SlError } from '@silverlining/protocol';
import type { Fleet, NodeRecord, RequestOptions } from '../ports.ts';
import { onEach } from './deps.ts';

/** Milliseconds: an agent that was just started again gets the time to come back. */
const DEADLINE = 5_000;
/** Milliseconds, in which visitors get what is to be taken back. */
const RETURN_DEADLINE = 2_000;
const RUNS: ReadonlySet<string> = new Set(['staged', 'active']);

export interface Concerned {
  appservers: readonly NodeRecord[];
  balancers: readonly NodeRecord[];
  instances: readonly string[];
}

/**
 * Resolves when every balancer's HAProxy answers and every app server has what it staged. Otherwise the deploy is to be
 * aborted: a node that went away after its vote would miss the switch.
 */
export async function requireReach(
  fleet: Pick<Fleet, 'waitFor' | 'request'>,
  { appservers, balancers, instances }: Concerned,
  signal: AbortSignal,
): Promise<void> {
  const limits = { signal, deadline: DEADLINE };
  await onEach([...new Set([...balancers, ...appservers])], async (node) => {
    await fleet.waitFor(node.uuid, limits);
    if (balancers.includes(node)) await fleet.request(node.uuid, 'traffic', { since: 0 }, limits);
    if (appservers.includes(node)) await requireInstances(fleet, { node, instances }, limits);
  });
}

/**
 * Before a deploy is taken back: E_CONFLICT where all app servers say that they do not run what it would be taken back to. One that is
 * silent goes by the row when it is back.
 */
export async function requireReturn(
  fleet: Pick<Fleet, 'request'>,
  { appservers, instances }: Omit<Concerned, 'balancers'>,
  signal: AbortSignal,
): Promise<void> {
  const limits = { signal, deadline: RETURN_DEADLINE };
  const answers = await Promise.allSettled(
    appservers.map(({ uuid }) => fleet.request(uuid, 'serving', { ask: false }, limits)),
  );
  const known = answers.flatMap((it) => (it.status === 'fulfilled' ? [it.value.instances] : []));
  const gone = instances.find((wanted) => !known.some((here) => runs(here, wanted)));
  if (gone === undefined || known.length < answers.length) return;
  throw new SlError('E_CONFLICT', `it cannot be taken back: no app server runs ${gone} any more`);
}

function runs(here: readonly InstanceReport[], wanted: string): boolean {
  return here.some((it) => it.instance === wanted && RUNS.has(it.state));
}

async function requireInstances(
  fleet: Pick<Fleet, 'request'>,
  { node, instances }: { node: NodeRecord; instances: readonly string[] },
  limits: RequestOptions,
): Promise<void> {
  const { instances: here } = await fleet.request(node.uuid, 'serving', { ask: false }, limits);
  const lost = instances.find((wanted) => !runs(here, wanted));
  if (lost === undefined) return;
  const message = `${node.name} staged ${lost}, but does not run it any more`;
  throw new SlError('E_CONFLICT', message, { details: { node: node.name } });
}
