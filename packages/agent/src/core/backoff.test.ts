import { describe, expect, it } from 'vitest';
import { failuresAfter, reconnectDelay, renewalTime } from './backoff.ts';

describe('reconnectDelay', () => {
  it('spreads over a window that doubles up to 30 seconds', () => {
    expect([1, 2, 3, 4, 5, 6, 99].map((failures) => reconnectDelay(failures, 0.999999))).toEqual([
      2000, 4000, 8000, 16000, 30000, 30000, 30000,
    ]);
  });

  it('is never shorter than a second', () => {
    expect([0, 1, 5].map((failures) => reconnectDelay(failures, 0))).toEqual([1000, 1000, 1000]);
  });
});

describe('failuresAfter', () => {
  it('starts again after a session that lasted', () => {
    expect(failuresAfter(7, 60_000)).toBe(1);
    expect(failuresAfter(7, 100)).toBe(8);
    expect(failuresAfter(0, 0)).toBe(1);
  });
});

describe('renewalTime', () => {
  it('lies between 50 and 60 % of the life', () => {
    expect(renewalTime({ from: 1000, to: 2000 }, 0)).toBe(1500);
    expect(renewalTime({ from: 1000, to: 2000 }, 1)).toBe(1600);
  });
});
