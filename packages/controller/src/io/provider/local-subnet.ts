/** IPv4 ranges as numbers, for choosing the network of local nodes. Pure. */
export interface Range {
  first: number;
  last: number;
}

/** Private ranges tried: 10.64.0.0/24 to 10.127.255.0/24, away from what home routers, VPNs and Docker like to use. */
const CANDIDATES_BASE = 10 * 2 ** 24 + 64 * 2 ** 16;
const CANDIDATES = 64 * 256;
const SIZE = 256;

/** `a.b.c.d` or `a.b.c.d/n` as a range; undefined for anything else (`default`, IPv6). */
export function parseRange(text: string): Range | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const address = match.slice(1, 5).reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}

export function overlaps(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** The first free /24 from a place that `seed` picks, so that several state directories seldom want the same one. */
export function chooseSubnet(seed: number, taken: readonly Range[]): Range | undefined {
  for (let step = 0; step < CANDIDATES; step += 1) {
    const first = CANDIDATES_BASE + ((seed + step) % CANDIDATES) * SIZE;
    const range = { first, last: first + SIZE - 1 };
    if (!taken.some((other) => overlaps(range, other))) return range;
  }
  return undefined;
}

/** The lowest address of the range that no node has; the network's, the host's and the broadcast address are not for nodes. */
export function chooseAddress(range: Range, taken: readonly string[]): string | undefined {
  for (let address = range.first + 2; address < range.last; address += 1) {
    const text = formatAddress(address);
    if (!taken.includes(text)) return text;
  }
  return undefined;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** A locally administered MAC that follows from the IPv4 address: a node that takes over an address needs no ARP cache to expire. */
export function macOf(address: string): string {
  const parts = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return ['02', '51', ...parts].join(':');
}
