/** Whether all agents of all sets can be connected to this controller. */
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';

/** Says so when they cannot: those that came too late would be called down, and nothing else would say why. */
export async function warnOfCapacity(
  { store, capacity }: Pick<ControllerDeps, 'store' | 'capacity'>,
  op: Pick<OperationContext, 'emit'>,
): Promise<void> {
  const nodes = (await store.sets()).reduce((sum, set) => sum + set.config.nodes.length, 0);
  if (nodes <= capacity) return;
  const text =
    `the controller's sets have ${nodes} nodes, and it can hold ${capacity} connections: raise its limit of open files ` +
    '(LimitNOFILE in a unit, nofile in limits.conf; ulimit -Hn shows it), then sl controller stop';
  op.emit({ status: 'warning', action: 'capacity', text });
}
