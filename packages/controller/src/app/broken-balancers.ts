/** Balancers whose HAProxy does not answer, and those of them that the set can do without. */
import { nodesWithRole } from '@silverlining/protocol';
import type { NodeRecord } from '../ports.ts';
import type { Run } from './configure.ts';
import { partingWebRoles } from './hand-over.ts';

/** Milliseconds for a balancer's HAProxy to say something. */
const ASK_DEADLINE = 10_000;

/** Those of the nodes whose HAProxy says nothing. */
export async function unanswering({ deps, op }: Run, nodes: readonly NodeRecord[]): Promise<NodeRecord[]> {
  const limits = { signal: op.signal, deadline: ASK_DEADLINE };
  const answers = await Promise.allSettled(
    nodes.map(({ uuid }) => deps.fleet.request(uuid, 'traffic', { since: 0 }, limits)),
  );
  op.signal.throwIfAborted();
  return nodes.filter((_, i) => answers[i]?.status === 'rejected');
}

/**
 * Nodes that the file takes the balancer from and whose HAProxy serves nobody, where another balancer stays that does: they are not
 * mended once more before they lose the role, and no switch waits for them.
 */
export async function brokenFormer(run: Run): Promise<ReadonlySet<NodeRecord>> {
  const { nodes, observed } = run;
  const former = nodes.filter((node) => partingWebRoles(observed.record, node).includes('balancer'));
  if (former.length === 0) return new Set();
  const staying = nodesWithRole(nodes, 'balancer');
  const silent = await unanswering(run, [...former, ...staying]);
  if (staying.every((node) => silent.includes(node))) return new Set();
  return new Set(former.filter((node) => silent.includes(node)));
}
