/** The nodes that take part in what a set serves. */
import type { NodeRecord, Store } from '../ports.ts';
import { withPartingRoles } from './hand-over.ts';

/**
 * Those with an agent of their own. One that `sl up` could not finish has no topology and no roles yet, so nobody sends visitors to
 * it, and what the others serve need not wait for it. One whose roles it was cut off from handing over has them until that is done.
 */
export async function membersOf(
  { store }: { store: Pick<Store, 'nodes' | 'set'> },
  name: string,
): Promise<NodeRecord[]> {
  const set = await store.set(name);
  const enrolled = (await store.nodes(name)).filter(({ state }) => state === 'enrolled');
  return enrolled.map((node) => withPartingRoles(set, node));
}
