import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Topology } from './topology.ts';
import { changedTopology, topologyChange } from './topology-change.ts';

function topologyOf(generation: number, nodes: readonly string[], hosts: readonly string[]): Topology {
  return {
    ...{ version: 1, set: 'demo', generation, baseDomain: 'demo.internal', setEtcHosts: true },
    nodes: nodes.map((name) => ({ name, uuid: `uuid-${name}`, address: '10.0.0.1', roles: ['appserver'] })),
    ...{
      services: [],
      apps: ['blog'],
      locations: hosts.map((host) => ({ host, path: '/', app: 'blog' })),
      aliases: [],
    },
  };
}

describe('a change of a topology', () => {
  it('is what differs and no more', () => {
    const before = topologyOf(1, ['a', 'b', 'c', 'd'], ['blog.test']);
    const after = topologyOf(2, ['a', 'x', 'y', 'd'], ['blog.test']);
    const change = topologyChange(before, after);
    expect(change).toMatchObject({ base: 1, generation: 2, parts: {}, nodes: { at: 1, remove: 2 } });
    expect(change.nodes.insert.map((it) => it.name)).toEqual(['x', 'y']);
    expect(topologyChange(before, { ...before, generation: 2, aliases: ['www.blog.test'] })).toMatchObject({
      parts: { aliases: ['www.blog.test'] },
      nodes: { remove: 0, insert: [] },
    });
  });

  it('leads from any topology to any other, to the same JSON', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 6 });
    const hosts = fc.array(fc.constantFrom('one.test', 'two.test'), { maxLength: 3 });
    fc.assert(
      fc.property(names, hosts, names, hosts, (n1, h1, n2, h2) => {
        const [before, after] = [topologyOf(4, n1, h1), topologyOf(5, n2, h2)];
        const change = JSON.parse(JSON.stringify(topologyChange(before, after)));
        expect(JSON.stringify(changedTopology(before, change))).toBe(JSON.stringify(after));
      }),
    );
  });
});
