import type { Exclusive } from '../../release-ports.ts';

/** Queues in memory, one for each key that is in use. */
export function createExclusive(): Exclusive {
  const tails = new Map<string, Promise<unknown>>();
  return (key, act) => {
    const mine = (tails.get(key) ?? Promise.resolve()).then(act);
    const tail = mine.then(
      () => undefined,
      () => undefined,
    );
    tails.set(key, tail);
    void tail.then(() => {
      if (tails.get(key) === tail) tails.delete(key);
    });
    return mine;
  };
}
