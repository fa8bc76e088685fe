/** A copy that nobody changes: what is written to a store is a row of it then, and so is what is read from it. */
export function kept<T>(it: T): T {
  if (typeof it !== 'object' || it === null || Object.isFrozen(it)) return it;
  const copy = (Array.isArray(it) ? [...it] : { ...it }) as T;
  for (const key in copy) copy[key] = kept(copy[key]);
  return Object.freeze(copy);
}
