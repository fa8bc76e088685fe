/**
 * Cuts contents into chunks where the content itself says so (FastCDC, Xia et al., USENIX ATC 2016, with 32-bit gear
 * hashes): after an insertion the cuts of what follows are the same as before. Only the controller cuts; agents take the
 * chunks as they are told, so the figures may change between versions at the price of one whole transfer.
 */

const SMALLEST = 16 << 10;
const AVERAGE = 64 << 10;
/** Bytes of the largest chunk. */
export const LARGEST_CHUNK = 256 << 10;
/** Bits that have to be 0 at a cut: more of them before the average is reached, fewer after it. */
const STRICT = ~0 << 14;
const LENIENT = ~0 << 18;

/** 256 numbers that look random and are the same everywhere. */
const GEAR = Int32Array.from({ length: 256 }, (_, i) => mix(Math.imul(i + 1, 0x9e3779b1)));

/** Where the chunk that begins at `start` ends: at `end` at the latest, which is the end of the content or far enough away. */
export function cutPoint(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, start + LARGEST_CHUNK);
  const middle = Math.min(last, start + AVERAGE);
  let hash = 0;
  let at = Math.min(last, start + SMALLEST);
  for (; at < middle; at++) {
    hash = ((hash << 1) + gear(bytes[at])) | 0;
    if ((hash & STRICT) === 0) return at + 1;
  }
  for (; at < last; at++) {
    hash = ((hash << 1) + gear(bytes[at])) | 0;
    if ((hash & LENIENT) === 0) return at + 1;
  }
  return last;
}

function gear(byte: number | undefined): number {
  return GEAR[byte ?? 0] ?? 0;
}

function mix(seed: number): number {
  let it = seed ^ (seed >>> 16);
  it = Math.imul(it, 0x85ebca6b);
  it ^= it >>> 13;
  it = Math.imul(it, 0xc2b2ae35);
  return it ^ (it >>> 16);
}
