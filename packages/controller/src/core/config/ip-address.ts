/** IP addresses as text. */

/**
 * The one way in which programs write an address (RFC 5952): MariaDB's grants, OpenSSH's known hosts and others compare texts. An
 * IPv4 address within IPv6 is the IPv4 one, which is what its packets have.
 */
export function plainAddress(text: string): string {
  if (!text.includes(':')) return text;
  const groups = groupsOf(text);
  const [, , , , , mark, high = 0, low = 0] = groups;
  if (mark === 0xffff && groups.slice(0, 5).every((it) => it === 0))
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  return compressed(groups.map((it) => it.toString(16)).join(':'));
}

/** The eight numbers of an IPv6 address. */
function groupsOf(text: string): number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/;
  const plain = text.replace(dotted, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [left = [], right = []] = plain.split('::').map((half) => half.split(':').filter((it) => it !== ''));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((it) => Number.parseInt(it, 16));
}

/** The first of the longest runs of zeros left out. */
function compressed(text: string): string {
  const [longest] = [...text.matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length);
  if (longest === undefined) return text;
  const before = text.slice(0, longest.index).replace(/:$/, '');
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, '');
  return `${before}::${after}`;
}
