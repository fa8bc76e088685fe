/** The provider's own sizes for the nodes that have to be created: a wish that none meets stops everything before it began. */
import { SlError, type WantedNode } from '@silverlining/protocol';
import { chooseSize } from '../core/plan/choose-size.ts';
import type { NodeSize, Provider } from '../ports.ts';

/** Ids of sizes by the nodes' names. Where a provider has no sizes to choose from, every wish is met. E_PROVIDER otherwise. */
export async function chooseSizes(
  provider: Provider,
  nodes: readonly WantedNode[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const wishing = nodes.filter((node) => node.sizeWish !== undefined);
  const sizes = wishing.length === 0 ? [] : await provider.sizes(signal);
  const chosen = new Map<string, string>();
  if (sizes.length === 0) return chosen;
  for (const { name, size, sizeWish } of wishing) {
    const found = sizeWish === undefined ? undefined : chooseSize(sizeWish, sizes);
    if (found === undefined) throw noSize(name, size ?? '', { driver: provider.driver, sizes });
    chosen.set(name, found.id);
  }
  return chosen;
}

function noSize(
  node: string,
  wish: string,
  { driver, sizes }: { driver: string; sizes: readonly NodeSize[] },
): SlError {
  const there = sizes.map(({ id, name, ram }) => `${id} (${name}, ${ram} MiB)`).join(', ');
  return new SlError('E_PROVIDER', `${driver} has no size "${wish}" for ${node}; there are ${there}`, {
    details: { node },
  });
}
