import fc from 'fast-check';

/** Surrogates are no characters. */
const [FIRST_SURROGATE, SURROGATES] = [0xd800, 0x800];

/**
 * Any character of Unicode, as a unit of `fc.string`. The same as its unit `binary`, which takes a second to make an index of all of
 * them in each process.
 */
export const anyCharacter = fc.integer({ min: 0, max: 0x10ffff - SURROGATES }).map(
  (n) => String.fromCodePoint(n < FIRST_SURROGATE ? n : n + SURROGATES),
  (text) => {
    if (typeof text !== 'string' || [...text].length !== 1) throw new Error('not a character');
    const point = text.codePointAt(0) ?? 0;
    return point < FIRST_SURROGATE ? point : point - SURROGATES;
  },
);
