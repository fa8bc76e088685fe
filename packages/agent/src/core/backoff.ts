/** Milliseconds; the figures are those of the protocol: 1 to 30 s, so that a fleet does not come back all at once. */
const SHORTEST = 1_000;
const LONGEST = 30_000;
/** A session that lasted this long ends a series of failures. */
const STABLE = 20_000;

/**
 * Time to wait before connecting again: full jitter over a window that doubles with each failure.
 * `failures` counts from 1, `random` is from [0, 1).
 */
export function reconnectDelay(failures: number, random: number): number {
  const window = Math.min(LONGEST, SHORTEST * 2 ** Math.min(Math.max(failures, 1), 10));
  return Math.round(SHORTEST + random * (window - SHORTEST));
}

/** Failures in a row after a session that stayed welcome for `lasted` milliseconds (0: it never was). */
export function failuresAfter(failures: number, lasted: number): number {
  return lasted >= STABLE ? 1 : failures + 1;
}

/** When to renew a certificate, milliseconds since 1970: at half of its life, up to a tenth of it later. */
export function renewalTime(validity: { from: number; to: number }, random: number): number {
  const life = validity.to - validity.from;
  return Math.round(validity.from + life * (0.5 + 0.1 * random));
}
