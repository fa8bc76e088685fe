import { setTimeout as delay } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import type { Clock } from '../ports.ts';

/** The machine's clock. `sleep` throws E_ABORTED when it is cancelled. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, { signal });
    } catch (cause) {
      throw new SlError('E_ABORTED', 'the wait was cancelled', { cause });
    }
  },
};
