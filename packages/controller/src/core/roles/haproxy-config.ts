/** HAProxy's configuration on a balancer: host and path to app, app to instance by the map, instance by header to Apache. */
import { nodesWithRole, type Topology } from '@silverlining/protocol';
import { addressesOf, apachePort } from './context.ts';
import { HOLD_RULE, HOLD_SCRIPT } from './haproxy-hold.ts';
import { routeRules } from './haproxy-routes.ts';
import { routesOf } from './routes.ts';
import { addressWord, isIPv6, nodeWord } from './words.ts';

export const BALANCER_MAP = '/etc/haproxy/silverlining/active.map';

export interface HaproxyOptions {
  topology: Topology;
  /** Requests that all balancers together may have open at one app server. */
  maxRequests: number;
  ipv6: boolean;
}

/** Works with HAProxy 2.4 (Ubuntu 22.04) to 3.0 (Debian 13). */
export function haproxyText({ topology, maxRequests, ipv6 }: HaproxyOptions): string {
  const balancers = addressesOf(topology, 'balancer').length;
  const share = maxRequests / balancers;
  const isOneOfMany = balancers > 1;
  return [
    '# Written by Silver Lining; changes are overwritten.',
    section('global', [...GLOBAL, ...(isOneOfMany ? [`lua-load ${HOLD_SCRIPT}`] : [])]),
    section('defaults', DEFAULTS),
    section('peers silver', ['peer local 127.0.0.1:17420']),
    section('backend silver_releases', [
      'stick-table type string len 64 size 10k expire 1h store http_req_cnt,http_fail_cnt,gpc0 peers silver',
    ]),
    section('frontend web', [
      'bind *:80',
      // By itself: a socket for both shows visitors with IPv4 addresses as `::ffff:...`.
      ...(ipv6 ? ['bind :::80 v6only'] : []),
      ...ARRIVAL,
      ...routeRules(routesOf(topology)),
      ...(isOneOfMany ? [HOLD_RULE] : []),
      ...DECISION,
    ]),
    section('backend appservers', [...REPEATABLE, ...servers(topology, (2 * share) / 3, () => UNACKNOWLEDGED)]),
    section('backend appservers_once', [
      ...ONCE,
      ...servers(topology, share / 3, (name) => `track appservers/${name}`),
    ]),
    section('backend newer', ['server newer 127.0.0.1:17421 send-proxy-v2']),
  ].join('\n');
}

function section(name: string, lines: readonly string[]): string {
  return `${name}\n${lines.map((it) => `    ${it}\n`).join('')}`;
}

// Logs go to the journal by standard output: /dev/log is out of reach in the chroot on some distributions. The limit of
// connections stands in the frontend: here HAProxy would refuse to start where it may not open that many files.
const GLOBAL = [
  'log stdout format raw local0 info',
  'chroot /var/lib/haproxy',
  'user haproxy',
  'group haproxy',
  'stats socket /run/haproxy/silverlining.sock mode 660 level admin expose-fd listeners',
  'stats timeout 30s',
  'localpeer local',
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
  // A node that is cut off answers nothing, not even that it is gone. A request that it had taken is noticed by this, in place of
  // the time that a slow answer may take; one that it had not, by UNACKNOWLEDGED.
  'option srvtcpka',
  'srvtcpka-idle 3s',
  'srvtcpka-intvl 1s',
  'srvtcpka-cnt 3',
  'timeout queue 30s',
  'timeout http-request 15s',
  'timeout http-keep-alive 30s',
  'timeout client-fin 30s',
  'timeout tunnel 1h',
  'timeout check 2s',
];

/**
 * After a reload the old process lets connections that visitors keep open send one more request: closing them could lose
 * one that is under way. But its map is the one of before, so it hands that request to the process that replaced it.
 *
 * Application servers give X_Silver_Path and X-Silver-Path to the app under one name, so both spellings go.
 */
const ARRIVAL = [
  'bind 127.0.0.1:17421 accept-proxy',
  'maxconn 10000',
  'option idle-close-on-response',
  'http-request allow if { stopping }',
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
  'use_backend newer if { stopping }',
  'use_backend appservers_once unless METH_GET',
  'default_backend appservers',
];

/**
 * GET and HEAD change nothing, so they may be tried again on another server, even when a connection that was kept open
 * turns out to be closed. 503 is among the reasons for a server that does not have the instance (yet).
 */
const REPEATABLE = [
  'balance roundrobin',
  'option forwardfor',
  'option httpchk GET /.silver/health',
  'http-check expect status 200',
  'retry-on conn-failure empty-response 503',
  'default-server check inter 1s fall 2 rise 1',
];

/**
 * How long a request may be on its way to a server that does not confirm it. Each server has to have it: HAProxy 2.6 does not take it
 * from `default-server`. None of this for requests with bodies: it would also end an upload that a server is slow to take, although
 * that server answers the kernel.
 */
const UNACKNOWLEDGED = 'tcp-ut 5s';

/** Anything else is sent once, on a connection of its own: one that was kept open might be closed under it. */
const ONCE = ['balance roundrobin', 'option forwardfor', 'option http-server-close', 'retry-on conn-failure'];

function servers(topology: Topology, maxconn: number, also: (name: string) => string): string[] {
  return nodesWithRole(topology.nodes, 'appserver').map((node) => {
    const address = addressWord(node.address);
    const name = nodeWord(node.name);
    const at = `${isIPv6(address) ? `[${address}]` : address}:${apachePort(node)}`;
    return `server ${name} ${at} maxconn ${Math.max(1, Math.floor(maxconn))} ${also(name)}`;
  });
}
