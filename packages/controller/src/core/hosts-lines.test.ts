import { describe, expect, it } from 'vitest';
import { aLocation, aSet, aTopology } from '../../../../test/builders/role-context.ts';
import { nodeHostsLines, workstationHostsLines } from './hosts-lines.ts';

const locations = ['www.example.com/ main', 'www.example.com/blog/ blog', '.wild.test/ main', '*/ main'].map(aLocation);

describe('lines for /etc/hosts', () => {
  it('have short names where only one node can be meant', () => {
    const nodes = ['app.a.test', 'app.b.test', 'db.a.test', 'db', 'localhost.test'].map((name, i) => ({
      ...{ name, uuid: name, address: `10.0.0.${i}`, roles: [] },
    }));
    expect(nodeHostsLines({ nodes })).toEqual([
      '10.0.0.0 app.a.test',
      '10.0.0.1 app.b.test',
      '10.0.0.2 db.a.test',
      '10.0.0.3 db',
      '10.0.0.4 localhost.test',
    ]);
  });

  it('point exact hosts and aliases at the balancer', () => {
    const set = aSet(['app1: appserver', 'lb: balancer'], { locations, aliases: ['alias.test', '.any.test'] });
    expect(workstationHostsLines(aTopology(set))).toEqual([
      '10.0.0.1 app1.shop.internal app1',
      '10.0.0.2 lb.shop.internal lb',
      '10.0.0.2 www.example.com',
      '10.0.0.2 alias.test',
    ]);
  });

  it('leave localhost to the machine, whatever the set answers for', () => {
    const set = aSet(['lb: balancer'], { locations: ['localhost/ main', 'a.test/ main'].map(aLocation) });
    expect(workstationHostsLines(aTopology(set)).slice(1)).toEqual(['10.0.0.1 a.test']);
  });

  it('point at the first app server without one', () => {
    const lines = workstationHostsLines(aTopology(aSet(['app1: appserver', 'app2: appserver'], { locations })));
    expect(lines.at(-1)).toBe('10.0.0.1 www.example.com');
  });

  it('are none when the set leaves the file alone', () => {
    expect(workstationHostsLines(aTopology(aSet(['app1: appserver'], { setEtcHosts: false })))).toEqual([]);
  });
});
