/** Names of instances: `APP.YYYYMMDD_NNN`, given once by the controller, the same on every node. */

/** The most that a name has room for (`instanceName` of protocol). */
const LAST = 999_999;

/**
 * The next name of the day (UTC). `existing` may hold names of other apps and days. Where one says that the last of them is taken, a
 * single node may have made that up: then it is the first that nobody has.
 */
export function nextInstanceName(app: string, now: number, existing: readonly string[]): string {
  const day = new Date(now).toISOString().slice(0, 10).replaceAll('-', '');
  const prefix = `${app}.${day}_`;
  const taken = existing.filter((name) => name.startsWith(prefix)).map((name) => Number(name.slice(prefix.length)));
  let next = Math.max(0, ...taken) + 1;
  if (next > LAST) for (next = 1; taken.includes(next); ) next++;
  return `${prefix}${String(next).padStart(3, '0')}`;
}
