/** What a node of the model is, against what the row says it should be. */
import type { ActiveMap } from '../../packages/protocol/src/index.ts';
import type { NodeMachine } from './node-machine.ts';
import { mapText } from './node-ports.ts';

/** What of the node is not as the row says; undefined when all is. */
export function difference(node: NodeMachine, epoch: number, active: ActiveMap): string | undefined {
  const mine = node.committed ?? { epoch: 0, active: {} };
  if (mine.epoch !== epoch || !sameMap(mine.active, active))
    return `is at epoch ${mine.epoch}: ${mapText(mine.active)}`;
  if (epoch === 0) return undefined;
  if (!sameMap(node.active, active)) return `has in Apache's map ${mapText(node.active)}`;
  if (node.hasRole('balancer') && !sameMap(node.routes, active)) return `routes by ${mapText(node.routes)}`;
  return node.hasRole('appserver') ? leftover(node, active) : undefined;
}

/** Nothing but what is active runs, nothing is prepared besides, and nothing lies about that no journal names. */
function leftover(node: NodeMachine, active: ActiveMap): string | undefined {
  const wanted = new Set(Object.values(active));
  if (!node.isReady) return 'takes no requests';
  const prepared = [...node.journals.values()].filter((it) => it.state !== 'stopped').map((it) => it.instance);
  for (const [what, there] of [
    ['runs', node.running],
    ['holds as prepared', prepared],
    ['serves', node.served.keys()],
  ] as const) {
    const text = odd(there, wanted);
    if (text !== undefined) return `${what} ${text}`;
  }
  const kept = new Set(node.journals.keys());
  for (const [what, there] of [
    ['files', node.releases.keys()],
    ['units', node.units],
    ['environments', node.environments.keys()],
  ] as const) {
    const more = [...there].filter((it) => !kept.has(it));
    if (more.length > 0) return `has ${what} left of ${more.join(' ')}`;
  }
  return undefined;
}

/** What is there beyond what is wanted, or is wanted and not there. */
function odd(there: Iterable<string>, wanted: ReadonlySet<string>): string | undefined {
  const all = new Set(there);
  const more = [...all].filter((it) => !wanted.has(it));
  const less = [...wanted].filter((it) => !all.has(it));
  if (more.length > 0) return `also ${more.join(' ')}`;
  return less.length > 0 ? `not ${less.join(' ')}` : undefined;
}

export function sameMap(a: ActiveMap, b: ActiveMap): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
