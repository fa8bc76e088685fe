import { CHUNK_DIGEST, type ChunkList } from '@silverlining/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { indexChunks, planAssembly, type Range } from './assembly.ts';

/** A content of the letters, each one a chunk; the same letter is always the same chunk. */
const listOf = (letters: string): ChunkList => ({
  sizes: [...letters].map(sizeOf),
  digests: [...letters].map((letter) => letter.repeat(CHUNK_DIGEST)).join(''),
});
const sizeOf = (letter: string) => letter.charCodeAt(0) - 96;
const bytesOf = (letters: string) => [...letters].map((letter) => letter.repeat(sizeOf(letter))).join('');
const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), maxLength: 12 });

describe('putting a content together', () => {
  it('makes the new one of any old ones, what is left of it, and what is sent', () => {
    fc.assert(
      fc.property(letters, letters, letters, fc.nat(12), (one, two, wanted, left) => {
        const known = new Map<string, Range & { bytes: number }>();
        indexChunks(known, 'one', listOf(one));
        indexChunks(known, 'two', listOf(two));
        const verified = Math.min(left, wanted.length);
        const { assembly, missing } = planAssembly({ list: listOf(wanted), verified, known });
        const sent = [...wanted].filter((_letter, i) => missing.has(i)).join('');
        const olds: Record<string, string> = { one: bytesOf(one), two: bytesOf(two) };
        let [made, body] = [bytesOf(wanted).slice(0, assembly.prefix), bytesOf(sent)];
        expect(body.length).toBe(assembly.body);
        for (const { bytes, from } of assembly.pieces) {
          if (from !== undefined) made += (olds[from.key] ?? '').slice(from.offset, from.offset + bytes);
          else [made, body] = [made + body.slice(0, bytes), body.slice(bytes)];
        }
        expect(made).toBe(bytesOf(wanted));
        for (const letter of sent) expect(one + two).not.toContain(letter);
      }),
    );
  });

  it('copies neighbours in one go', () => {
    const known = new Map<string, Range & { bytes: number }>();
    indexChunks(known, 'old', listOf('abcd'));
    const { assembly } = planAssembly({ list: listOf('abecd'), verified: 0, known });
    expect(assembly).toEqual({
      list: listOf('abecd'),
      prefix: 0,
      pieces: [
        { bytes: 3, from: { key: 'old', offset: 0 } },
        { bytes: 5, from: undefined },
        { bytes: 7, from: { key: 'old', offset: 3 } },
      ],
      body: 5,
    });
  });
});
