import type { SizeWish } from '@silverlining/protocol';

/** A `size` value, or what is wrong with it. */
export type ParsedSize = { wish: SizeWish } | { problem: string };

const FORMS = 'id X, ram 256MB, name GLOB, or first and several of these with commas between';
const MIB = new Map([
  ['', 1],
  ['m', 1],
  ['mb', 1],
  ['mib', 1],
  ['g', 1024],
  ['gb', 1024],
  ['gib', 1024],
]);

/**
 * `id X`, `ram 256MB` (the smallest size with at least this much; plain numbers are MiB), `name GLOB`, and
 * `first WISH, WISH...`, the first of several that the provider has.
 */
export function parseSize(text: string): ParsedSize {
  const [word = '', rest = ''] = splitFirst(text);
  if (word !== 'first') return parseWish(word, rest);
  const wishes = rest.split(',').map((it) => it.trim());
  for (const wish of wishes) {
    const parsed = parseWish(...splitFirst(wish));
    if ('problem' in parsed) return parsed;
  }
  return { wish: { by: 'first', wishes } };
}

function parseWish(word: string, rest: string): ParsedSize {
  if (word === 'id' && /^\S+$/.test(rest)) return { wish: { by: 'id', id: rest } };
  if (word === 'name' && rest !== '') return { wish: { by: 'name', glob: rest } };
  if (word !== 'ram') return { problem: `size must be ${FORMS}` };
  const [, amount, unit] = /^(\d{1,8})\s*([a-z]*)$/i.exec(rest) ?? [];
  const factor = MIB.get((unit ?? '').toLowerCase());
  const mib = Number(amount) * (factor ?? Number.NaN);
  return mib > 0 ? { wish: { by: 'ram', mib } } : { problem: 'size by ram must look like ram 256MB or ram 2GB' };
}

function splitFirst(text: string): [string, string] {
  const [, word = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(text.trim()) ?? [];
  return [word, rest];
}
