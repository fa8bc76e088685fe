/** What the parts of one rollout share. */
import { SlError } from '@silverlining/protocol';
import type { RolloutState } from '../core/release/rollout-state.ts';
import type { NodeRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';
import type { RolloutInput, RolloutItem } from './rollout.ts';
import type { Measured } from './rollout-record.ts';

export interface RolloutContext {
  deps: ControllerDeps;
  op: OperationContext;
  input: RolloutInput;
  nodes: ReadonlyMap<string, NodeRecord>;
  items: ReadonlyMap<string, RolloutItem>;
  measured: Measured;
  /** Whether the nodes are on the controller's machine: asked once, as a provider reads all its options for that. */
  onThisMachine: boolean;
  /** Nodes that were waited for in vain. */
  unreached: Set<string>;
  /** Where the machine is. */
  state: RolloutState;
}

export function mark(context: RolloutContext, node: string, app: string | undefined, event: string): void {
  markAt(context, { node, app, event, at: context.deps.clock.monotonic() });
}

export function markAt({ measured }: RolloutContext, happening: Measured['timeline'][number]): void {
  measured.timeline.push(happening);
}

export function itemOf({ items }: RolloutContext, app: string): RolloutItem {
  const item = items.get(app);
  if (item === undefined) throw new SlError('E_INTERNAL', `no app ${app} in this rollout`);
  return item;
}

export function nodeOf({ nodes }: RolloutContext, uuid: string): NodeRecord {
  const node = nodes.get(uuid);
  if (node === undefined) throw new SlError('E_INTERNAL', `no node ${uuid} in this rollout`);
  return node;
}
