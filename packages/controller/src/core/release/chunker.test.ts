import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutPoint, LARGEST_CHUNK } from './chunker.ts';

/** Bytes that follow from a seed. */
function noise(length: number, seed: number): Uint8Array {
  const words = new Int32Array(Math.ceil(length / 4));
  let state = seed | 1;
  for (let i = 0; i < words.length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    state |= 0;
    words[i] = Math.imul(state ^ (state >>> 13), 0x297a2d39);
  }
  return new Uint8Array(words.buffer, 0, length);
}

function chunksOf(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = cutPoint(bytes, start, bytes.length);
    chunks.push(bytes.subarray(start, end));
    start = end;
  }
  return chunks;
}

const text = (chunk: Uint8Array) => Buffer.from(chunk).toString('latin1');

describe('cutting into chunks', () => {
  it('leaves nothing out and keeps to its limits, whatever the content', () => {
    const content = fc.oneof(
      fc.tuple(fc.nat(1_200_000), fc.nat()).map(([length, seed]) => noise(length, seed)),
      fc.tuple(fc.nat(1_200_000), fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte)),
    );
    fc.assert(
      fc.property(content, (bytes) => {
        const chunks = chunksOf(bytes);
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
        for (const chunk of chunks) expect(chunk.length).toBeLessThanOrEqual(LARGEST_CHUNK);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBeGreaterThan(16 << 10);
      }),
      { numRuns: 15 },
    );
  });

  it('finds the same cuts again behind an insertion', () => {
    const before = noise(2_000_000, 7);
    const after = Buffer.concat([before.subarray(0, 1_000_000), Buffer.from('inserted'), before.subarray(1_000_000)]);
    const known = new Set(chunksOf(before).map(text));
    const fresh = chunksOf(after).filter((chunk) => !known.has(text(chunk)));
    expect(fresh.length).toBeGreaterThan(0);
    expect(fresh.length).toBeLessThanOrEqual(3);
  });

  it('does not depend on what stands before the window, nor on how much is in it', () => {
    const bytes = noise(1_000_000, 3);
    const [first = new Uint8Array()] = chunksOf(bytes);
    const moved = Buffer.concat([noise(500, 1), bytes]);
    expect(cutPoint(moved, 500, moved.length) - 500).toBe(first.length);
    expect(cutPoint(bytes, 0, LARGEST_CHUNK)).toBe(first.length);
  });
});
