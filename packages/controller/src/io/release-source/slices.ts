import { setImmediate } from 'node:timers/promises';

/** File system calls in a row before the event loop gets a turn: a few milliseconds of them. */
const SLICE = 256;

/** Counts calls, and lets others run now and then. Synchronous calls cost a fraction of asynchronous ones. */
export function createSlices(signal: AbortSignal): (cost?: number) => Promise<void> | undefined {
  let spent = 0;
  return (cost = 1) => {
    spent += cost;
    if (spent < SLICE) return undefined;
    spent = 0;
    return pause(signal);
  };
}

async function pause(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}
