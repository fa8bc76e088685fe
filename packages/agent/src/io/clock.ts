import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentClock } from '../ports.ts';

/** This machine's clocks and chance. */
export const systemClock: AgentClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  random: () => Math.random(),
};
