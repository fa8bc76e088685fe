import { topology as schema } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { aSet } from '../../../../test/builders/role-context.ts';
import { aboveAll, buildTopology } from './topology.ts';

const set = aSet(['app1: appserver', 'db: service:mysql'], { services: [{ name: 'mysql', options: {} }] });
const nodes = [
  { name: 'app1.shop.internal', uuid: 'u1', address: '10.0.0.1' },
  { name: 'db.shop.internal', uuid: 'u2', address: '10.0.0.2' },
];

describe('topology', () => {
  it('says what exists of what is wanted', () => {
    const leaving = { name: 'app9.shop.internal', uuid: 'u9', address: '10.0.0.9' };
    const unborn = [nodes[0], { name: 'db.shop.internal', uuid: 'u2', address: undefined }, leaving];
    const built = buildTopology(set, unborn as typeof nodes);
    expect(built).toMatchObject({ generation: 1, services: [{ name: 'mysql', nodes: ['db.shop.internal'] }] });
    expect(built.nodes.map((it) => it.name)).toEqual(['app1.shop.internal']);
    expect(schema.parse(built)).toEqual(built);
  });

  it('is the previous one while nothing differs', () => {
    const first = buildTopology(set, nodes);
    expect(buildTopology(set, [...nodes].reverse(), { previous: first })).toBe(first);
    const stored = Object.fromEntries(Object.entries(structuredClone(first)).reverse());
    const parsed = schema.parse(stored);
    expect(buildTopology(set, nodes, { previous: parsed })).toBe(parsed);
  });

  it('is one generation on when anything differs', () => {
    const first = { ...buildTopology(set, nodes), generation: 7 };
    expect(buildTopology({ ...set, aliases: ['x.test'] }, nodes, { previous: first }).generation).toBe(8);
    expect(buildTopology({ ...set, setEtcHosts: false }, nodes, { previous: first }).generation).toBe(8);
    const moved = nodes.map((it) => ({ ...it, address: `${it.address}0` }));
    expect(buildTopology(set, moved, { previous: first }).generation).toBe(8);
  });

  it('is above what nodes have from before the state of the controller was lost', () => {
    const first = buildTopology(set, nodes);
    expect(aboveAll(first, undefined, [0, 0])).toBe(first);
    expect(aboveAll(first, undefined, [1, 0]).generation).toBe(2);
    expect(aboveAll(first, undefined, [3, 7]).generation).toBe(8);
    expect(aboveAll(first, first, [1, 1])).toBe(first);
    expect(aboveAll(first, first, [1, 2])).toEqual({ ...first, generation: 3 });
  });

  it('does not follow a node to where no generation would be left', () => {
    const first = buildTopology(set, nodes);
    expect(aboveAll(first, undefined, [3, Number.MAX_SAFE_INTEGER]).generation).toBe(4);
    expect(aboveAll(first, first, [1, Number.MAX_SAFE_INTEGER])).toBe(first);
  });
});
