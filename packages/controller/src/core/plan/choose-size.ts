/** Which of a provider's sizes a wish means. */
import type { SizeWish } from '@silverlining/protocol';
import type { NodeSize } from '../../records.ts';
import { parseSize } from '../config/size.ts';

/** The size that meets the wish, as the provider orders them; for `ram` the smallest that does. Undefined when none does. */
export function chooseSize(wish: SizeWish, sizes: readonly NodeSize[]): NodeSize | undefined {
  switch (wish.by) {
    case 'id':
      return sizes.find((it) => it.id === wish.id);
    case 'name':
      return sizes.find((it) => matches(wish.glob, it.name));
    case 'ram':
      return [...sizes].sort((a, b) => a.ram - b.ram).find((it) => it.ram >= wish.mib);
    case 'first':
      return firstOf(wish.wishes, sizes);
  }
}

function firstOf(wishes: readonly string[], sizes: readonly NodeSize[]): NodeSize | undefined {
  for (const text of wishes) {
    const parsed = parseSize(text);
    const found = 'wish' in parsed && parsed.wish.by !== 'first' ? chooseSize(parsed.wish, sizes) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `*` and `?`, whatever the case of the letters. */
function matches(glob: string, name: string): boolean {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'is').test(name);
}
