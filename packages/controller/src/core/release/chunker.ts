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

/** A hash is of the last 32 bytes: what is before them has been shifted out. */
const HASHED = 32;

/** Where the chunk that begins at `start` ends: at `end` at the latest, which is the end of the content or far enough away. */
export function cutPoint(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, start + LARGEST_CHUNK);
  const middle = Math.min(last, start + AVERAGE);
  const first = Math.min(last, start + SMALLEST);
  const early = firstCut(bytes, { from: first, to: middle, mask: STRICT, hash: 0 });
  if (early > 0) return early;
  const hash = hashOf(bytes, Math.max(first, middle - HASHED), middle);
  return firstCut(bytes, { from: middle, to: last, mask: LENIENT, hash }) || last;
}

interface Search {
  from: number;
  to: number;
  mask: number;
  /** Of the bytes before. */
  hash: number;
}

/**
 * Behind the first byte at which there is a cut; 0 where there is none. It is the one function that the daemon's V8 compiles with all
 * it has, as its flags say: so, and with four bytes a round, it takes a third of the time.
 */
export function firstCut(bytes: Uint8Array, { from, to, mask, hash: before }: Search): number {
  let hash = before;
  let at = from;
  for (; at < to - 3; at += 4) {
    const one = next(hash, bytes[at]);
    const two = next(one, bytes[at + 1]);
    const three = next(two, bytes[at + 2]);
    hash = next(three, bytes[at + 3]);
    if ((one & mask) === 0) return at + 1;
    if ((two & mask) === 0) return at + 2;
    if ((three & mask) === 0) return at + 3;
    if ((hash & mask) === 0) return at + 4;
  }
  for (; at < to; at++) {
    hash = next(hash, bytes[at]);
    if ((hash & mask) === 0) return at + 1;
  }
  return 0;
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at++) hash = next(hash, bytes[at]);
  return hash;
}

function next(hash: number, byte: number | undefined): number {
  return ((hash << 1) + (GEAR[byte ?? 0] ?? 0)) | 0;
}

function mix(seed: number): number {
  let it = seed ^ (seed >>> 16);
  it = Math.imul(it, 0x85ebca6b);
  it ^= it >>> 13;
  it = Math.imul(it, 0xc2b2ae35);
  return it ^ (it >>> 16);
}
