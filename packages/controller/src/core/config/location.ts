import { location, locationHost } from '@silverlining/protocol';
import { quote } from './problem.ts';

export interface Target {
  /** Lower case host, `.suffix` or `*`. */
  host: string;
  /** Starts and ends with `/`. */
  path: string;
}

export type ParsedTarget = { target: Target } | { problem: string };

const HOST_RULE = 'letters, digits, hyphens and dots; .example.com for all hosts below, * for any';

/** The URL of a location: `http://`, `https://` or neither; the port is left out; the path ends in `/`. */
export function parseTarget(url: string): ParsedTarget {
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(url) ?? [];
  if (scheme !== undefined && !/^https?$/i.test(scheme))
    return { problem: `a location is an http:// or https:// URL, not ${quote(url)}` };
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const parsed = parseHost(authority.replace(/:\d{1,5}$/, ''));
  if ('problem' in parsed) return parsed;
  const path = slash < 0 ? '/' : `${rest.slice(slash).replace(/\/+$/, '')}/`;
  if (!location.shape.path.safeParse(path).success || /\/\.{1,2}\//.test(path))
    return { problem: `invalid path ${quote(path)} in a location` };
  return { target: { host: parsed.host, path } };
}

/** A host name of a location or alias, in lower case. */
export function parseHost(text: string): { host: string } | { problem: string } {
  const host = text.toLowerCase();
  if (locationHost.safeParse(host).success) return { host };
  const hint = host.startsWith('*.') ? `; write ${quote(host.slice(1))} for all hosts below` : `: ${HOST_RULE}`;
  return { problem: `invalid hostname ${quote(text)}${hint}` };
}
