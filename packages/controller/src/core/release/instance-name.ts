/** Names of instances: `APP.YYYYMMDD_NNN`, given once by the controller, the same on every node. */

/** The next name of the day (UTC). `existing` may hold names of other apps and days. */
export function nextInstanceName(app: string, now: number, existing: readonly string[]): string {
  const day = new Date(now).toISOString().slice(0, 10).replaceAll('-', '');
  const prefix = `${app}.${day}_`;
  const numbers = existing.filter((name) => name.startsWith(prefix)).map((name) => Number(name.slice(prefix.length)));
  return `${prefix}${String(Math.max(0, ...numbers) + 1).padStart(3, '0')}`;
}
