/** The nodes that take part in what a set serves. */
import type { NodeRecord, Store } from '../ports.ts';

/**
 * Those with an agent of their own. One that `sl up` could not finish has no topology and no roles yet, so nobody sends visitors to
 * it, and what the others serve need not wait for it.
 */
export async function membersOf({ store }: { store: Pick<Store, 'nodes'> }, set: string): Promise<NodeRecord[]> {
  return (await store.nodes(set)).filter(({ state }) => state === 'enrolled');
}
