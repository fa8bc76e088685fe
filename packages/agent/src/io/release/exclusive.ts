/** Runs work of the same key one after the other, in the order of the calls; other keys go on beside it. */
export type Exclusive = <T>(key: string, act: () => Promise<T>) => Promise<T>;

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
