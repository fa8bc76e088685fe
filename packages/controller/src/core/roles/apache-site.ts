/** Apache's site on an app server: finds the instance of a request, serves its static files, proxies the rest. */
import type { Topology } from '@silverlining/protocol';
import { HOST_RULES, routeRules, SLASH_RULES } from './apache-routes.ts';
import { addressesOf } from './context.ts';
import { routesOf } from './routes.ts';
import { addressWord, nodeWord } from './words.ts';

const PROXY = '/var/lib/silverlining/proxy';
export const INSTANCES_MAP = `${PROXY}/instances.map`;
/** `APP.1 INSTANCE` and so on: other releases of the app on the node, the newest first. */
export const OTHERS_MAP = `${PROXY}/others.map`;
export const ACTIVE_MAP = `${PROXY}/active.map`;

const INSTANCE = '[a-z][a-z0-9_-]{0,39}\\.\\d{8}_\\d{3,6}';
const APP = '[a-z][a-z0-9_-]{0,39}';
const PATH = '/(?:[A-Za-z0-9._~!$&()*+,;=:@%-]+/)*';

export interface SiteOptions {
  topology: Topology;
  node: string;
  port: number;
}

/** The site's text. With balancers they say which instance; without, the set's locations and the active map do. */
export function siteText({ topology, node, port }: SiteOptions): string {
  const balancers = addressesOf(topology, 'balancer').map((it) => addressWord(it));
  const routing = balancers.length > 0 ? toldByBalancer(balancers) : foundHere(topology);
  const lines = [
    `ServerName ${nodeWord(node)}`,
    ...serverAliases(topology),
    'DocumentRoot /var/www',
    ...SERVER,
    ...(balancers.length > 0 ? behindBalancers(balancers) : IN_FRONT),
    ...HEADERS,
    'RewriteEngine On',
    ...HEALTH_AND_PATH,
    ...routing,
    ...INSTANCE_RULES,
    ...STATIC_RULES,
    ...FINGERPRINT_RULES,
    ...STATIC_ONLY_RULES,
    ...PROXY_RULES,
  ];
  const body = lines.map((line) => (line === '' ? '\n' : `  ${line}\n`)).join('');
  return `# Written by Silver Lining; changes are overwritten.\n${FOLDERS}${LOGGING}<VirtualHost *:${port}>\n${body}</VirtualHost>\n`;
}

/** The set's hosts: a site of the user's own that has one of them as its name, from before it moved here, gets no request for it. */
function serverAliases(topology: Topology): string[] {
  const names = routesOf(topology).flatMap(({ host }) => {
    if (host.kind === 'any') return ['*'];
    return host.kind === 'exact' ? [host.host] : [host.domain, `*.${host.domain}`];
  });
  return [...new Set(names)].map((it) => `ServerAlias ${it}`);
}

const FOLDERS = `<Directory /var/www>
  Options FollowSymLinks
  AllowOverride None
  Require all granted
</Directory>
<Directory ${PROXY}>
  Options FollowSymLinks
  AllowOverride None
  Require all denied
  <Files ready>
    Require all granted
  </Files>
</Directory>
`;

const LOGGING = `LogFormat "%a %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\" %{SILVER_APP}e %{SILVER_INSTANCE}e %D" silver
ServerTokens Prod
ServerSignature Off
TraceEnable Off
`;

// INode tells two releases' files apart even where their times and sizes agree: contents are stored once, by hash.
const SERVER = [
  'CustomLog /var/log/silverlining/access.log silver env=!SILVER_QUIET',
  `ErrorLog \${APACHE_LOG_DIR}/error.log`,
  'FileETag INode MTime Size',
  'AllowEncodedSlashes NoDecode',
  'KeepAlive On',
  'MaxKeepAliveRequests 0',
  'ProxyPreserveHost On',
  'ProxyTimeout 300',
  `Alias /.silver/health ${PROXY}/ready`,
];

/** Balancers keep idle connections shorter than this, so Apache never closes one that is about to be used. */
function behindBalancers(balancers: readonly string[]): string[] {
  const internal = balancers.map((it) => `RemoteIPInternalProxy ${it}`);
  return ['KeepAliveTimeout 75', 'RemoteIPHeader X-Forwarded-For', ...internal];
}

// Apache speaks to visitors itself: whatever they say about who they are is theirs.
const IN_FRONT = [
  'KeepAliveTimeout 15',
  ...['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Server'].map(
    (it) => `RequestHeader unset ${it} early`,
  ),
  'RequestHeader set X-Forwarded-Proto http early',
];

// Underscores: application servers give X_Silver_Update and X-Silver-Update to the app under one name.
const HEADERS = [
  'RequestHeader unset Proxy early',
  ...['Update', 'App', 'Instance', 'Path'].flatMap((it) => spellings(it)),
  'RequestHeader edit If-None-Match "^\\"((.*)-gzip)\\"$" "\\"$1\\", \\"$2\\""',
  'RequestHeader unset X-Silver-App',
  'RequestHeader unset X-Silver-Instance',
  'RequestHeader unset X-Silver-Path',
  'RequestHeader set X-Silver-Path %{SILVER_PATH}e env=SILVER_PATH',
  'Header unset X-Silver-Release',
  'Header unset X-Silver-Missing',
  'Header always set X-Silver-Release %{SILVER_INSTANCE}e env=SILVER_INSTANCE',
  'Header always set X-Silver-Missing %{SILVER_MISSING}e env=SILVER_MISSING',
  'Header always set Cache-Control no-store env=SILVER_AWAY',
];

function spellings(name: string): string[] {
  const all = [`X_Silver_${name}`, `X-Silver_${name}`, `X_Silver-${name}`];
  return [...all, ...(name === 'Update' ? ['X-Silver-Update'] : [])].map((it) => `RequestHeader unset ${it} early`);
}

const HEALTH_AND_PATH = [
  '',
  'RewriteRule ^/\\.silver/health$ - [E=SILVER_QUIET:1,END]',
  'RewriteCond %{THE_REQUEST} "^\\S+ (?:[A-Za-z]+://[^/?\\s]*)?(/[^?\\s]*)"',
  'RewriteRule ^ - [E=SILVER_RAW:%1]',
];

function toldByBalancer(balancers: readonly string[]): string[] {
  const trusted = ['127.0.0.0/8', '::1', ...balancers].map((it) => `%{CONN_REMOTE_ADDR} -ipmatch '${it}'`);
  return [
    '',
    `RewriteCond expr "!(${trusted.join(' || ')})"`,
    'RewriteRule ^ - [F]',
    `RewriteCond %{HTTP:X-Silver-App} ^(${APP})$ [NV]`,
    'RewriteRule ^ - [E=SILVER_APP:%1]',
    `RewriteCond %{HTTP:X-Silver-Instance} ^(${INSTANCE})$ [NV]`,
    'RewriteRule ^ - [E=SILVER_INSTANCE:%1]',
    `RewriteCond %{HTTP:X-Silver-Path} ^(${PATH})$ [NV]`,
    'RewriteRule ^ - [E=SILVER_PATH:%1]',
    'RewriteCond %{ENV:SILVER_INSTANCE} ^$',
    'RewriteRule ^ - [R=404,L]',
  ];
}

function foundHere(topology: Topology): string[] {
  return [
    '',
    ...HOST_RULES,
    ...routeRules(routesOf(topology)),
    'RewriteCond %{ENV:SILVER_APP} ^$',
    'RewriteRule ^ - [R=404,L]',
    `RewriteMap silver-active txt:${ACTIVE_MAP}`,
    `RewriteCond \${silver-active:%{ENV:SILVER_APP}|none} ^(${INSTANCE})$`,
    'RewriteRule ^ - [E=SILVER_INSTANCE:%1]',
    'RewriteCond %{ENV:SILVER_INSTANCE} ^$',
    'RewriteRule ^ - [E=SILVER_AWAY:1,R=503,L]',
    ...SLASH_RULES,
  ];
}

const INSTANCE_RULES = [
  '',
  `RewriteMap silver-instances txt:${INSTANCES_MAP}`,
  `RewriteCond \${silver-instances:%{ENV:SILVER_INSTANCE}|missing} ^(\\d{1,5}|static)$`,
  'RewriteRule ^ - [E=SILVER_PORT:%1]',
  'RewriteCond %{ENV:SILVER_PORT} ^$',
  'RewriteRule ^ - [E=SILVER_AWAY:1,E=SILVER_MISSING:%{ENV:SILVER_INSTANCE},R=503,L]',
];

const ROOT = '/var/www/%{ENV:SILVER_INSTANCE}/static%{ENV:SILVER_FILE}';
const STATIC_RULES = [
  '',
  'RewriteCond %{REQUEST_METHOD} ^(?:GET|HEAD)$',
  'RewriteCond %{ENV:SILVER_PATH}|%{REQUEST_URI} ^(.*)/\\|\\1(/.*)$',
  'RewriteRule ^ - [E=SILVER_FILE:%2]',
  'RewriteCond %{ENV:SILVER_FILE} .',
  `RewriteCond ${ROOT} -f`,
  `RewriteRule ^ ${ROOT} [END]`,
];

/**
 * A page that was loaded before a switch asks for its own scripts and styles after it, and one of the new release may ask a
 * balancer that has not switched yet. Only names with a fingerprint of their content are looked up elsewhere: such a name
 * means one file whatever the release, while any other may by now belong to the app, or be gone for a reason.
 */
const FINGERPRINT = '[.-](?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,64}\\.[A-Za-z0-9.]{1,16}$';
const OTHERS = 4;
const FINGERPRINT_RULES = [
  '',
  `RewriteMap silver-others txt:${OTHERS_MAP}`,
  ...Array.from({ length: OTHERS }, (_, i) => i + 1).flatMap((i) => [
    `RewriteCond %{ENV:SILVER_FILE} ${FINGERPRINT}`,
    `RewriteCond \${silver-others:%{ENV:SILVER_APP}.${i}|none} ^(${INSTANCE})$`,
    'RewriteCond /var/www/%1/static%{ENV:SILVER_FILE} -f',
    'RewriteRule ^ /var/www/%1/static%{ENV:SILVER_FILE} [END]',
  ]),
];

const STATIC_ONLY_RULES = [
  '',
  'RewriteCond %{ENV:SILVER_PORT} =static',
  'RewriteCond %{ENV:SILVER_FILE} /$',
  `RewriteCond ${ROOT}index.html -f`,
  `RewriteRule ^ ${ROOT}index.html [END]`,
  'RewriteCond %{ENV:SILVER_PORT} =static',
  'RewriteCond %{ENV:SILVER_FILE} [^/]$',
  `RewriteCond ${ROOT} -d`,
  'RewriteRule ^ %{ENV:SILVER_RAW}/ [R=301,NE,L]',
  'RewriteCond %{ENV:SILVER_PORT} =static',
  'RewriteRule ^ - [R=404,L]',
];

// NE hands on the path exactly as it came; Apache's own reading of it would turn %2F and %25 into something else.
const PROXY_RULES = [
  '',
  'RewriteCond %{HTTP:Upgrade} =websocket [NC,NV]',
  'RewriteRule ^ ws://127.0.0.1:%{ENV:SILVER_PORT}%{ENV:SILVER_RAW} [P,NE]',
  'RewriteRule ^ http://127.0.0.1:%{ENV:SILVER_PORT}%{ENV:SILVER_RAW} [P,NE]',
];
