import { type Resource, type ResourceOf, type ResourceType, resource, resourceId } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { aContext, anApp, aSet } from '../../../../../test/builders/role-context.ts';
import { resourcesFor, supportedOs } from './index.ts';

const apps = [
  anApp('main', { platform: 'python', packages: ['python3-pymysql', 'gunicorn'], services: { mysql: '' } }),
  anApp('my-blog', { services: { mysql: '' } }),
];
const services = [{ name: 'mysql', options: {} }];
const everything = aSet(['one: balancer, service:mysql, appserver', 'two: appserver'], { apps, services });
const apart = aSet(['app1: appserver', 'app2: appserver', 'db: service:mysql', 'lb: balancer'], { apps, services });

function resources(set: typeof apart, node: string, agentPorts: number[] = []): Resource[] {
  const context = { ...aContext(set, node), agentPorts };
  return resourcesFor(context.node, context).resources.map((it) => resource.parse(it));
}

function ofType<T extends ResourceType>(type: T, all: readonly Resource[]): ResourceOf<T>[] {
  return all.filter((it): it is ResourceOf<T> => it.type === type);
}

function content(path: string, all: readonly Resource[]): string | undefined {
  return ofType('file', all).find((it) => it.path === path)?.content;
}

describe('the resources of a node', () => {
  it.each([
    ['one', everything],
    ['two', everything],
    ['app1', apart],
    ['db', apart],
    ['lb', apart],
  ] as const)('name each thing once, packages first and together: %s', (node, set) => {
    const all = resources(set, node);
    const ids = all.map((it) => resourceId(it));
    expect(new Set(ids).size).toBe(ids.length);
    const paths = all.flatMap((it) => ('path' in it && it.type !== 'block' ? [it.path] : []));
    expect(new Set(paths).size).toBe(paths.length);
    expect(all.findIndex((it) => it.type === 'packages')).toBe(0);
    expect(ofType('packages', all)).toHaveLength(1);
  });

  it('are the same for the same input', () => {
    expect(resources(everything, 'one')).toEqual(resources(everything, 'one'));
  });

  it('hold the packages of all roles, platforms, apps and clients', () => {
    const names = (node: string) => ofType('packages', resources(apart, node))[0]?.names ?? [];
    const common = ['ca-certificates', 'logrotate', 'nftables', 'unattended-upgrades'];
    expect(names('lb')).toEqual([...common, 'haproxy'].sort());
    expect(names('db')).toEqual([...common, 'mariadb-server'].sort());
    const app = ['apache2', 'gunicorn', 'mariadb-client', 'python3', 'python3-pymysql'];
    expect(names('app1')).toEqual([...common, ...app].sort());
  });

  it('bring the rules back that the distribution empties with its own', () => {
    const dropIn = content('/etc/systemd/system/nftables.service.d/silverlining.conf', resources(apart, 'app1'));
    for (const when of ['ExecStartPost', 'ExecReload', 'ExecStopPost'])
      expect(dropIn).toContain(`${when}=-/usr/sbin/nft -f /etc/silverlining/firewall.nft\n`);
  });

  it('put the site of the set before those that the machine may have', () => {
    const link = ofType('link', resources(apart, 'app1')).find((it) => it.path.includes('/sites-enabled/'));
    expect(link).toMatchObject({ target: '../sites-available/silverlining.conf' });
    expect(link?.path.split('/').at(-1)).toMatch(/^000-/);
  });

  it('put Apache on 8080 beside HAProxy, and bring it there first', () => {
    const all = resources(everything, 'one');
    expect(content('/etc/apache2/ports.conf', all)).toBe('Listen 8080\n');
    expect(content('/etc/apache2/ports.conf', resources(everything, 'two'))).toBe('Listen 80\n');
    const asked = all.flatMap((it) => ('notify' in it ? (it.notify ?? []) : [])).map((it) => it.unit);
    expect(asked.lastIndexOf('apache2.service')).toBeLessThan(asked.indexOf('haproxy.service'));
  });

  it('open what roles need, to those who need it', () => {
    const opened = (set: typeof apart, node: string) =>
      (content('/etc/silverlining/firewall.nft', resources(set, node)) ?? '')
        .split('\n')
        .filter((it) => it.includes('tcp dport') && !it.includes('dport 22'))
        .map((it) => it.trim());
    expect(opened(apart, 'app1')).toEqual(['ip saddr { 10.0.0.4 } tcp dport 80 accept']);
    expect(opened(apart, 'lb')).toEqual(['tcp dport 80 accept']);
    expect(opened(apart, 'db')).toEqual(['ip saddr { 10.0.0.1, 10.0.0.2 } tcp dport 3306 accept']);
    expect(opened(aSet(['app1: appserver']), 'app1')).toEqual(['tcp dport 80 accept']);
  });

  it('never lock out SSH, wherever it listens', () => {
    const hosts = 'app1.shop.internal 192.0.2.1 port=2201\napp2.shop.internal 192.0.2.2';
    const set = { ...apart, provider: { driver: 'hosts', options: { hosts, port: '2200' } } };
    const ports = (node: string) => {
      const rules = content('/etc/silverlining/firewall.nft', resources(set, node)) ?? '';
      return [...rules.matchAll(/^ *tcp dport (\d+) accept/gm)].map((it) => it[1]);
    };
    expect(ports('app1')).toEqual(['22', '2200', '2201']);
    expect(ports('app2')).toEqual(['22', '2200']);
  });

  it('let agents get to the controller where it runs on the node', () => {
    const rules = content('/etc/silverlining/firewall.nft', resources(apart, 'app1', [443, 7420])) ?? '';
    expect([...rules.matchAll(/^ *tcp dport (\d+) accept/gm)].map((it) => it[1])).toEqual(['22', '443', '7420']);
  });

  it.each([
    ['of a service to its node', 'a-password-of-a-test', ['db']],
    ['of the set to the app servers', 'the-secret-of-the-set', ['app1', 'app2']],
  ])('give the secret %s alone', (_whose, secret, nodes) => {
    const holding = ['app1', 'app2', 'db', 'lb'].filter((it) => JSON.stringify(resources(apart, it)).includes(secret));
    expect(holding).toEqual(nodes);
  });

  it('check configuration before it is used', () => {
    const checks = new Map(
      resources(everything, 'one')
        .flatMap((it) => ('notify' in it ? (it.notify ?? []) : []))
        .map((it) => [it.unit, it.check?.[0]]),
    );
    expect(Object.fromEntries(checks)).toMatchObject({
      'apache2.service': 'apachectl',
      'haproxy.service': 'haproxy',
      'silver-firewall.service': 'nft',
    });
  });

  it('leave what agents own alone once it is there', () => {
    const all = [...resources(apart, 'app1'), ...resources(apart, 'lb')];
    expect(ofType('file', all).flatMap((it) => (it.once ? [it.path] : []))).toEqual([
      '/var/lib/silverlining/proxy/instances.map',
      '/var/lib/silverlining/proxy/active.map',
      '/var/lib/silverlining/proxy/others.map',
      '/etc/haproxy/silverlining/active.map',
    ]);
  });

  it('watch the units of all roles', () => {
    const context = aContext(everything, 'one');
    expect(resourcesFor(context.node, context).watch).toEqual([
      'silver-firewall.service',
      'apache2.service',
      'mariadb.service',
      'haproxy.service',
    ]);
  });

  it('end the servers of the roles that the node does not have, before its own need the ports', () => {
    const ended = (set: typeof apart, node: string) => ofType('former-unit', resources(set, node)).map((it) => it.name);
    expect(ended(everything, 'one')).toEqual([]);
    expect(ended(apart, 'app1')).toEqual(['haproxy.service', 'mariadb.service']);
    expect(ended(apart, 'db')).toEqual(['apache2.service', 'haproxy.service']);
    expect(ended(apart, 'lb')).toEqual(['apache2.service', 'mariadb.service']);
    const types = resources(apart, 'app1').map((it) => resourceId(it));
    expect(types.indexOf('former-unit:haproxy.service')).toBeLessThan(types.indexOf('file:/etc/apache2/ports.conf'));
  });

  it.each(['app1', 'db', 'lb'])('leave what tells that %s had a role, which is not there without it', (node) => {
    const isEnded = (it: Resource) => it.type === 'former-unit';
    const others = ['app1', 'db', 'lb'].flatMap((it) => (it === node ? [] : resources(apart, it)));
    const own = resources(apart, node);
    const [unit] = ofType('unit', own).filter((it) => it.name !== 'silver-firewall.service');
    const mark = ofType('former-unit', others).find((it) => it.name === unit?.name)?.mark;
    const paths = (all: Resource[]) => all.flatMap((it) => ('path' in it && !isEnded(it) ? [it.path] : []));
    expect(paths(own)).toContain(mark);
    expect(paths(others)).not.toContain(mark);
  });

  it('take the map from a node that is no balancer any more: HAProxy would start with it, should the node become one again', () => {
    const former = ofType('former-unit', resources(apart, 'app1')).find((it) => it.name === 'haproxy.service');
    expect(former?.mark).toBe('/etc/haproxy/silverlining/active.map');
  });

  it('take our lines out of /etc/hosts when the set leaves it alone', () => {
    expect(ofType('block', resources(apart, 'lb'))[0]?.content.split('\n')).toContain('10.0.0.4 lb.shop.internal lb');
    expect(ofType('block', resources({ ...apart, setEtcHosts: false }, 'lb'))[0]?.content).toBe('');
  });

  it('are for Debian and Ubuntu', () => {
    expect(supportedOs({ id: 'ubuntu', version: '24.04', name: 'Ubuntu 24.04' }, 'a')).toMatchObject({ id: 'ubuntu' });
    expect(() => supportedOs({ id: 'fedora', version: '40', name: 'Fedora 40' }, 'a')).toThrow('a runs Fedora 40');
  });
});
