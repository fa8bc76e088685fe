import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startPatience } from './patience.ts';

const never = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('lasts as long as something moves, and ends when nothing has for too long', () => {
  const patience = startPatience(never, 1000);
  for (let i = 0; i < 10; i++) {
    vi.advanceTimersByTime(900);
    patience.moved();
  }
  expect(patience.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1000);
  expect(patience.signal.aborted).toBe(true);
});

it('ends with the signal of the caller, and not after it was stopped', () => {
  const caller = new AbortController();
  const [patience, stopped] = [startPatience(caller.signal, 1000), startPatience(never, 1000)];
  stopped.stop();
  caller.abort();
  vi.advanceTimersByTime(5000);
  expect([patience.signal.aborted, stopped.signal.aborted]).toEqual([true, false]);
});
