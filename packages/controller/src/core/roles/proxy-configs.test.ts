import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../../../../test/builders/any-character.ts';
import { aContext, aLocation, aSet, aTopology } from '../../../../../test/builders/role-context.ts';
import { siteText } from './apache-site.ts';
import { haproxyText } from './haproxy-config.ts';

const balanced = ['app1: appserver', 'app2: appserver', 'lb: balancer'];
const alone = ['app1: appserver'];

function render(nodes: string[], locations: { host: string; path: string; app: string }[], aliases: string[] = []) {
  const topology = aTopology(aSet(nodes, { locations, aliases }));
  const apache = siteText({ topology, node: 'app1.shop.internal', port: 80 });
  return { apache, haproxy: nodes === balanced ? haproxyText({ topology, maxRequests: 350, ipv6: true }) : '' };
}

describe('values in configuration files', () => {
  const nasty = fc.string({
    unit: fc.constantFrom(
      '\n',
      '\r',
      '\0',
      '\t',
      ' ',
      '\\',
      '"',
      "'",
      '#',
      '{',
      '}',
      '%',
      '$',
      '/',
      'a',
      '.',
      '*',
      '-',
    ),
  });
  const text = fc.oneof(
    fc.string({ unit: anyCharacter }),
    nasty,
    nasty.map((it) => `/${it}/`),
    nasty.map((it) => `a.test${it}`),
  );
  const forms = ['a.test/ a', '.a.test/ a', '*/ a', 'a.test/b/ a', '.a.test/b/ a', '*/b/ a'].map(aLocation);

  it.each([
    ['with a balancer', balanced],
    ['without one', alone],
  ])('cannot add a line, %s', (_, nodes) => {
    const plain = new Map(forms.map((it) => [shape(it), lineCounts(render(nodes, [it]))]));
    fc.assert(
      fc.property(fc.oneof(fc.constant('a.test'), text), fc.oneof(fc.constant('/'), text), (host, path) => {
        const rendered = attempt(() => render(nodes, [{ host, path, app: 'a' }]));
        if (rendered === undefined) return;
        // Routes of a host with `www.` have no second one.
        if (host.startsWith('www.')) return;
        expect(lineCounts(rendered)).toEqual(plain.get(shape({ host, path })));
        expect(`${rendered.apache}${rendered.haproxy}`).toMatch(/^[\n\x20-\x7e]*$/);
      }),
      { numRuns: 400 },
    );
  });

  it.each([
    [{ host: 'a.test\n  Require all granted', path: '/', app: 'a' }],
    [{ host: 'a.test', path: '/x/\n}\n', app: 'a' }],
    [{ host: 'a.test', path: '/x y/', app: 'a' }],
    [{ host: 'a.test', path: '/', app: 'a)\nb' }],
    [{ host: 'a.test }', path: '/', app: 'a' }],
  ])('are refused: %j', (location) => {
    expect(() => render(alone, [location])).toThrow('cannot stand as');
    expect(() => render(balanced, [location])).toThrow('cannot stand as');
  });

  it('cannot come in as an address or a name of a node', () => {
    const topology = aTopology(aSet(balanced));
    const [first, ...rest] = topology.nodes;
    if (first === undefined) throw new Error('no node');
    for (const bad of [{ address: '10.0.0.1:80\n' }, { name: 'app1\nserver x' }]) {
      const nodes = [{ ...first, ...bad }, ...rest];
      expect(() => haproxyText({ topology: { ...topology, nodes }, maxRequests: 1, ipv6: true })).toThrow(
        'cannot stand as',
      );
    }
  });
});

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

function shape({ host, path }: { host: string; path: string }): string {
  const kind = host === '*' ? 'any' : host.startsWith('.') ? 'suffix' : 'exact';
  return `${kind} ${path === '/' ? 'root' : 'below'}`;
}

function lineCounts({ apache, haproxy }: { apache: string; haproxy: string }): number[] {
  return [apache, haproxy].map((it) => it.split('\n').length);
}

describe('the site of an app server', () => {
  it('believes balancers and itself, and nobody else', () => {
    const { apache } = render(balanced, [aLocation('a.test/ a')]);
    expect(apache).toContain(
      `RewriteCond expr "!(%{CONN_REMOTE_ADDR} -ipmatch '127.0.0.0/8' || %{CONN_REMOTE_ADDR} -ipmatch '::1' || %{CONN_REMOTE_ADDR} -ipmatch '10.0.0.3')"\n  RewriteRule ^ - [F]`,
    );
    expect(apache).toContain('RemoteIPInternalProxy 10.0.0.3\n');
    expect(apache).not.toContain('silver-active');
  });

  it('finds app and instance itself without a balancer', () => {
    const { apache } = render(alone, ['a.test/x+y/ a', '.b.test/ b'].map(aLocation));
    expect(apache).toContain(
      [
        'RewriteCond %{ENV:SILVER_APP} ^$',
        'RewriteCond %{ENV:SILVER_HOST} =a.test',
        'RewriteCond %{ENV:SILVER_RAW}/ ^(/x\\+y/)',
        'RewriteRule ^ - [E=SILVER_APP:a,E=SILVER_PATH:%1]',
        'RewriteCond %{ENV:SILVER_APP} ^$',
        'RewriteCond %{ENV:SILVER_HOST} (?:^|\\.)b\\.test$',
      ].join('\n  '),
    );
    expect(apache).not.toContain('CONN_REMOTE_ADDR');
  });

  it.each([
    ['with a balancer', balanced],
    ['without one', alone],
  ])('has the hosts of the set as its names, before other sites of the machine: %s', (_, nodes) => {
    const { apache } = render(nodes, ['a.test/ a', 'a.test/x/ b', '.b.test/ b', '*/ a'].map(aLocation), ['c.test']);
    const names = [...apache.matchAll(/^ {2}Server(?:Name|Alias) (.*)$/gm)].map((it) => it[1]);
    const hosts = ['a.test', 'c.test', 'b.test', '*.b.test', 'www.a.test', 'www.c.test', '*'];
    expect(names).toEqual(['app1.shop.internal', ...hosts]);
  });

  it('is the same for every app server but for its name', () => {
    const set = aSet(balanced);
    const texts = ['app1', 'app2'].map((name) => {
      const { topology, node } = aContext(set, name);
      return siteText({ topology, node: node.name, port: 80 }).replace(node.name, 'NODE');
    });
    expect(texts[0]).toBe(texts[1]);
  });
});

describe('the balancer', () => {
  it('routes by host and path to app, and by the map to instance', () => {
    const { haproxy } = render(balanced, ['.a.test/b/ blog'].map(aLocation));
    expect(haproxy).toContain(`    acl h0 var(txn.host) -m str a.test
    acl h0 var(txn.host) -m end .a.test
    acl p0 path -m str /b
    acl p0 path -m beg /b/
    http-request set-var(txn.app) str(blog) if !{ var(txn.app) -m found } h0 p0
    http-request set-var(txn.path) path,concat(/),bytes(0,3) if !{ var(txn.path) -m found } h0 p0
    http-request set-var(txn.instance) var(txn.app),map(/etc/haproxy/silverlining/active.map)`);
  });

  it('shares what an app server can take between balancers, and finds Apache beside itself', () => {
    const set = aSet(['one: appserver, balancer', 'two: balancer', 'app: appserver']);
    const lines = haproxyText({ topology: aTopology(set), maxRequests: 300, ipv6: true }).split('\n');
    expect(lines.filter((it) => it.startsWith('    server ')).map((it) => it.trim())).toEqual([
      'server one.shop.internal 10.0.0.1:8080 maxconn 100 tcp-ut 5s',
      'server app.shop.internal 10.0.0.3:80 maxconn 100 tcp-ut 5s',
      'server one.shop.internal 10.0.0.1:8080 maxconn 50 track appservers/one.shop.internal',
      'server app.shop.internal 10.0.0.3:80 maxconn 50 track appservers/app.shop.internal',
      'server newer 127.0.0.1:17421 send-proxy-v2',
    ]);
  });

  it('writes IPv6 addresses in brackets', () => {
    const topology = aTopology(aSet(balanced));
    const nodes = topology.nodes.map((it, i) => ({ ...it, address: `fd00::${i}` }));
    const text = haproxyText({ topology: { ...topology, nodes }, maxRequests: 3, ipv6: true });
    expect(text).toContain(' [fd00::0]:80 maxconn 2 tcp');
  });

  it.each([
    [true, ['bind *:80', 'bind :::80 v6only', 'bind 127.0.0.1:17421 accept-proxy']],
    // There, HAProxy would not start.
    [false, ['bind *:80', 'bind 127.0.0.1:17421 accept-proxy']],
  ])('is there for visitors with IPv6, where the kernel has it: %s', (ipv6, binds) => {
    const lines = haproxyText({ topology: aTopology(aSet(balanced)), maxRequests: 300, ipv6 }).split('\n');
    expect(lines.map((it) => it.trim()).filter((it) => it.startsWith('bind '))).toEqual(binds);
  });
});
