import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentClock } from '../ports.ts';

/** Milliseconds of a clock that nobody sets. `performance` would load a dozen of Node's modules for it, 0.4 MB of memory. */
export function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/** This machine's clocks and chance. */
export const systemClock: AgentClock = {
  now: () => Date.now(),
  monotonic,
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  random: () => Math.random(),
};
