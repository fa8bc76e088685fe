/** Calls agents that are away: each tries again after up to half a minute, which whoever waits for it need not. */
import { toSlError } from '@silverlining/protocol';
import pLimit from 'p-limit';
import type { NodeRecord, ProviderNode } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { pinnedKeys } from './raise-node.ts';

export type CallDeps = Pick<ControllerDeps, 'bootstrapper' | 'clock' | 'fleet' | 'log' | 'providerFor' | 'store'>;

/** Milliseconds for those that were about to come by themselves. */
const BY_THEMSELVES = 1_000;
/** Connections at a time: each keeps a core busy with encryption. */
const AT_A_TIME = 6;

/** Never fails: one that cannot be called comes when its time has come. */
export async function callAgents(deps: CallDeps, nodes: readonly NodeRecord[], signal: AbortSignal): Promise<void> {
  try {
    await deps.clock.sleep(BY_THEMSELVES, signal);
    const machines = await machinesOf(deps, nodes, signal);
    const limit = pLimit(AT_A_TIME);
    await Promise.all(nodes.map((node) => limit(() => callOne(deps, node, machines.get(node.uuid), signal))));
  } catch (error) {
    if (!signal.aborted) deps.log.info({ error: toSlError(error).message }, 'agents that are away cannot be called');
  }
}

/** By UUID of the record: machines that something else made have none of their own. */
async function machinesOf(
  { store, providerFor }: CallDeps,
  nodes: readonly NodeRecord[],
  signal: AbortSignal,
): Promise<Map<string, ProviderNode>> {
  const set = await store.set(nodes[0]?.set ?? '');
  if (set === undefined) return new Map();
  const found = new Map((await providerFor(set.config).list(set.name, signal)).map((it) => [it.id, it]));
  return new Map(
    nodes.flatMap(({ uuid, providerId = '' }) => {
      const machine = found.get(providerId);
      return machine?.state === 'running' ? [[uuid, machine]] : [];
    }),
  );
}

async function callOne(
  { fleet, bootstrapper, log }: CallDeps,
  node: NodeRecord,
  machine: ProviderNode | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { uuid, name } = node;
  if (machine === undefined || signal.aborted || fleet.session(uuid) !== undefined) return;
  try {
    await bootstrapper.call({ uuid, ssh: machine.ssh, pinnedHostKeys: pinnedKeys(node, machine) }, signal);
  } catch (error) {
    if (!signal.aborted)
      log.info({ node: name, error: toSlError(error).message }, 'its agent cannot be called over SSH');
  }
}
