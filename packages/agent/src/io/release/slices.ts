import { setImmediate } from 'node:timers/promises';

/** Items done in a row before the event loop gets a turn: a few milliseconds of file system calls. */
const SLICE = 128;

/**
 * Calls `act` for each item, and waits where it returns a promise. Synchronous file system calls cost a tenth of asynchronous ones; in
 * slices they let heartbeats and other requests through all the same. Stops when the signal is aborted.
 */
export async function inSlices<T>(items: Iterable<T>, act: (item: T) => unknown, signal?: AbortSignal): Promise<void> {
  let count = 0;
  for (const item of items) {
    const done = act(item);
    if (done instanceof Promise) await done;
    if (++count % SLICE !== 0) continue;
    await setImmediate();
    signal?.throwIfAborted();
  }
}
