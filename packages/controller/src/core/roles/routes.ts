/** The set's locations in the order in which they are tried: the first whose host and path match decides. */
import type { Location, Topology } from '@silverlining/protocol';
import { appWord, hostWord, pathWord } from './words.ts';

export type HostMatch =
  | { kind: 'exact'; host: string }
  /** The domain itself and every host below it. */
  | { kind: 'suffix'; domain: string }
  | { kind: 'any' };

export interface Route {
  host: HostMatch;
  /** Starts and ends with `/`; a request for it without the last `/` is redirected. */
  path: string;
  app: string;
}

interface Ranked extends Route {
  rank: number;
}

const RANK = { exact: 0, suffix: 1, www: 2, any: 3 } as const;

/**
 * Exact hosts, then suffixes (longest first), then `www.` of hosts that are mapped without it, then `*`; longest path
 * first within a host. A host that has no location for the path leaves it to the ones after it.
 */
export function routesOf(topology: Pick<Topology, 'locations' | 'aliases'>): Route[] {
  const all = withAliases(topology).map((it) => ranked(it));
  return [...all, ...wwwRoutes(all)].sort(byOrder).map(({ host, path, app }) => ({ host, path, app }));
}

/** Aliases answer wherever the first location's host does. */
function withAliases({ locations, aliases }: Pick<Topology, 'locations' | 'aliases'>): Location[] {
  const first = locations[0]?.host;
  const own = new Set(locations.map((it) => it.host));
  const extra = aliases.filter((alias) => !own.has(alias));
  const copies = extra.flatMap((host) => locations.filter((it) => it.host === first).map((it) => ({ ...it, host })));
  return [...locations, ...copies];
}

function ranked(it: Location): Ranked {
  const host = hostMatch(hostWord(it.host));
  return { host, path: pathWord(it.path), app: appWord(it.app), rank: RANK[host.kind] };
}

function hostMatch(host: string): HostMatch {
  if (host === '*') return { kind: 'any' };
  return host.startsWith('.') ? { kind: 'suffix', domain: host.slice(1) } : { kind: 'exact', host };
}

function wwwRoutes(all: readonly Ranked[]): Ranked[] {
  const exact = new Set(all.flatMap((it) => (it.host.kind === 'exact' ? [it.host.host] : [])));
  return all.flatMap((it) => {
    if (it.host.kind !== 'exact' || it.host.host.startsWith('www.')) return [];
    const host = `www.${it.host.host}`;
    return exact.has(host) ? [] : [{ ...it, host: { kind: 'exact' as const, host }, rank: RANK.www }];
  });
}

function byOrder(a: Ranked, b: Ranked): number {
  return a.rank - b.rank || suffixLength(b) - suffixLength(a) || b.path.length - a.path.length;
}

function suffixLength({ host }: Ranked): number {
  return host.kind === 'suffix' ? host.domain.length : 0;
}
