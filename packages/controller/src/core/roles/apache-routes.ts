/** mod_rewrite rules that find app and location of a request, for sets without a balancer. */
import type { HostMatch, Route } from './routes.ts';
import { literalPattern } from './words.ts';

/**
 * Sets SILVER_APP and SILVER_PATH by the first route that matches SILVER_HOST and SILVER_RAW (the path as the client sent
 * it, so that Apache and the app see the same one). The slash that is added makes `/x` match the location `/x/` and
 * never `/xy`.
 */
export function routeRules(routes: readonly Route[]): string[] {
  return routes.flatMap(({ host, path, app }) => [
    'RewriteCond %{ENV:SILVER_APP} ^$',
    ...hostConditions(host),
    `RewriteCond %{ENV:SILVER_RAW}/ ^(${literalPattern(path)})`,
    `RewriteRule ^ - [E=SILVER_APP:${app},E=SILVER_PATH:%1]`,
  ]);
}

function hostConditions(host: HostMatch): string[] {
  if (host.kind === 'any') return [];
  if (host.kind === 'exact') return [`RewriteCond %{ENV:SILVER_HOST} =${host.host}`];
  return [`RewriteCond %{ENV:SILVER_HOST} (?:^|\\.)${literalPattern(host.domain)}$`];
}

/** The host in lower case without port and root dot; nothing of it is believed before it matched a route. */
export const HOST_RULES = [
  'RewriteMap silver-lower int:tolower',
  'RewriteCond %{HTTP_HOST} ^([^:]*?)\\.?(?::\\d+)?$ [NV]',
  `RewriteRule ^ - [E=SILVER_HOST:\${silver-lower:%1}]`,
];

/** `/x` for the location `/x/`: the query string goes along. */
export const SLASH_RULES = [
  'RewriteCond %{ENV:SILVER_RAW}/|%{ENV:SILVER_PATH} ^(.+)\\|\\1$',
  'RewriteRule ^ %{ENV:SILVER_PATH} [R=301,NE,L]',
];
