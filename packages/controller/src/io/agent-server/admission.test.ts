import { describe, expect, it } from 'vitest';
import { Rivals, TokenBucket } from './admission.ts';

it('a bucket fills up again with time', () => {
  const bucket = new TokenBucket(2, 0);
  expect([bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(499)]).toEqual([true, true, false, false]);
  expect([bucket.take(500), bucket.take(500), bucket.take(10_000), bucket.take(10_000)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(bucket.take(10_000)).toBe(false);
});

describe('rivals', () => {
  it('are counted in a minute, and held for a while', () => {
    const rivals = new Rivals(2, 1000);
    expect([0, 30_000, 61_000].map((now) => rivals.replaced('a', now))).toEqual([false, false, false]);
    expect(rivals.replaced('b', 61_500)).toBe(false);
    expect(rivals.replaced('a', 62_000)).toBe(true);
    expect([62_999, 63_000, 63_001].map((now) => rivals.isHeld('a', now))).toEqual([true, false, false]);
    expect(rivals.isHeld('b', 62_500)).toBe(false);
  });

  it('are held back again at once when it goes on afterwards, and forgiven when it does not', () => {
    const rivals = new Rivals(1, 1000);
    expect([0, 1].map((now) => rivals.replaced('a', now))).toEqual([false, true]);
    expect(rivals.isHeld('a', 61_000)).toBe(false);
    expect(rivals.replaced('a', 61_000)).toBe(true);
    expect(rivals.isHeld('a', 61_999)).toBe(true);
    expect(rivals.isHeld('a', 122_000)).toBe(false);
    expect(rivals.replaced('a', 122_000)).toBe(false);
  });
});
