/** HAProxy rules that find app and location of a request. */
import type { HostMatch, Route } from './routes.ts';

/**
 * Sets txn.app and txn.path by the first route that matches txn.host and the path. The path of the location is cut out
 * of the request's own, so that no character of it is ever read as HAProxy's syntax; the added `/` makes `/x` match `/x/`.
 */
export function routeRules(routes: readonly Route[]): string[] {
  return routes.flatMap(({ host, path, app }, index) => {
    const matching = [...hostAcls(`h${index}`, host), ...pathAcls(`p${index}`, path)];
    const names = [...new Set(matching.map((it) => it.split(' ')[1]))];
    const when = ['', ...names].join(' ');
    return [
      ...matching,
      `http-request set-var(txn.app) str(${app}) if !{ var(txn.app) -m found }${when}`,
      `http-request set-var(txn.path) path,concat(/),bytes(0,${path.length}) if !{ var(txn.path) -m found }${when}`,
    ];
  });
}

function hostAcls(name: string, host: HostMatch): string[] {
  if (host.kind === 'any') return [];
  if (host.kind === 'exact') return [`acl ${name} var(txn.host) -m str ${host.host}`];
  return [`acl ${name} var(txn.host) -m str ${host.domain}`, `acl ${name} var(txn.host) -m end .${host.domain}`];
}

function pathAcls(name: string, path: string): string[] {
  if (path === '/') return [];
  return [`acl ${name} path -m str ${path.slice(0, -1)}`, `acl ${name} path -m beg ${path}`];
}
