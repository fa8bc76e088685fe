/** HAProxy's configuration on a balancer: host and path to app, app to instance by the map, instance by header to Apache. */
import { nodesWithRole, type Topology } from '@silverlining/protocol';
import { addressesOf, apachePort } from './context.ts';
import { routeRules } from './haproxy-routes.ts';
import { routesOf } from './routes.ts';
import { addressWord, isIPv6, nodeWord } from './words.ts';

export const BALANCER_MAP = '/etc/haproxy/silverlining/active.map';

export interface HaproxyOptions {
  topology: Topology;
  /** Requests that all balancers together may have open at one app server. */
  maxRequests: number;
}

/** Works with HAProxy 2.4 (Ubuntu 22.04) to 3.0 (Debian 13). */
export function haproxyText({ topology, maxRequests }: HaproxyOptions): string {
  const share = Math.max(1, Math.floor(maxRequests / addressesOf(topology, 'balancer').length));
  return [
    '# Written by Silver Lining; changes are overwritten.',
    section('global', GLOBAL),
    section('defaults', DEFAULTS),
    section('peers silver', ['peer local 127.0.0.1:17420']),
    section('backend silver_releases', [
      'stick-table type string len 64 size 10k expire 1h store http_req_cnt,http_fail_cnt,gpc0 peers silver',
    ]),
    section('frontend web', [...ARRIVAL, ...routeRules(routesOf(topology)), ...DECISION]),
    section('backend appservers', [...BACKEND, ...servers(topology, share)]),
  ].join('\n');
}

function section(name: string, lines: readonly string[]): string {
  return `${name}\n${lines.map((it) => `    ${it}\n`).join('')}`;
}

// Logs go to the journal by standard output: /dev/log is out of reach in the chroot on some distributions.
const GLOBAL = [
  'log stdout format raw local0 info',
  'chroot /var/lib/haproxy',
  'user haproxy',
  'group haproxy',
  'stats socket /run/haproxy/silverlining.sock mode 660 level admin expose-fd listeners',
  'stats timeout 30s',
  'localpeer local',
  'maxconn 10000',
  // What a reload left behind may finish, but not for ever.
  'hard-stop-after 10m',
];

// timeout server is a little more than Apache's ProxyTimeout, so that Apache is the one that says what hangs.
const DEFAULTS = [
  'mode http',
  'log global',
  'option httplog',
  'option dontlognull',
  'option dontlog-normal',
  'option redispatch 1',
  'retries 3',
  'timeout connect 2s',
  'timeout client 310s',
  'timeout server 310s',
  'timeout queue 30s',
  'timeout http-request 15s',
  'timeout http-keep-alive 30s',
  'timeout client-fin 30s',
  'timeout tunnel 1h',
  'timeout check 2s',
];

// Application servers give X_Silver_Path and X-Silver-Path to the app under one name, so both spellings go.
const ARRIVAL = [
  'bind *:80',
  'http-request del-header ^x[-_]silver[-_] -m reg',
  'http-request del-header ^x[-_]forwarded[-_] -m reg',
  'http-request del-header Forwarded',
  'http-request set-header X-Forwarded-Proto http',
  'http-request set-var(txn.host) req.hdr(host),field(1,:),lower,regsub([.]$,)',
];

const APP = '{ var(txn.app) -m found }';
const INSTANCE = '{ var(txn.instance) -m found }';
const HTML = 'content-type "text/html; charset=utf-8" string';
const DECISION = [
  `http-request set-var(txn.instance) var(txn.app),map(${BALANCER_MAP}) if ${APP}`,
  `http-request return status 404 ${HTML} "<!doctype html><title>Not found</title><h1>Not found</h1>" if !${APP} or { path -m beg /.silver/ }`,
  `http-request return status 503 hdr Cache-Control no-store ${HTML} "<!doctype html><title>Not available</title><h1>Not available yet</h1>" if !${INSTANCE}`,
  `http-request track-sc0 var(txn.instance) table silver_releases`,
  'http-request redirect code 301 location %[var(txn.path)]%[url,regsub(^[^?]*,)] if { path,concat(/),strcmp(txn.path) eq 0 }',
  'http-request set-header X-Silver-App %[var(txn.app)]',
  'http-request set-header X-Silver-Instance %[var(txn.instance)]',
  'http-request set-header X-Silver-Path %[var(txn.path)]',
  `http-response sc-inc-gpc0(0) if ${INSTANCE} { res.hdr(X-Silver-Release) -m found } !{ res.hdr(X-Silver-Release),strcmp(txn.instance) eq 0 }`,
  `http-after-response set-header X-Silver-Release %[var(txn.instance)] if ${INSTANCE}`,
  'default_backend appservers',
];

// Only what a request failed by can be tried again: nothing was done for it yet, or it changes nothing (GET and HEAD).
const BACKEND = [
  'balance roundrobin',
  'option forwardfor',
  'option httpchk GET /.silver/health',
  'http-check expect status 200',
  'retry-on conn-failure empty-response 503',
  'http-request disable-l7-retry unless METH_GET',
  'default-server check inter 1s fall 2 rise 1',
];

function servers(topology: Topology, share: number): string[] {
  return nodesWithRole(topology.nodes, 'appserver').map((node) => {
    const address = addressWord(node.address);
    const host = isIPv6(address) ? `[${address}]` : address;
    return `server ${nodeWord(node.name)} ${host}:${apachePort(node)} maxconn ${share}`;
  });
}
