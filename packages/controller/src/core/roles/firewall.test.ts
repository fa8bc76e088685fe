import { describe, expect, it } from 'vitest';
import { firewallText, mergeOpenings } from './firewall.ts';

describe('firewall', () => {
  it('merges openings by port', () => {
    expect(
      mergeOpenings([
        { port: 3306, from: ['10.0.0.2'] },
        { port: 80, from: ['10.0.0.9'] },
        { port: 3306, from: ['10.0.0.1', '10.0.0.2'] },
        { port: 80, from: 'anywhere' },
      ]),
    ).toEqual([
      { port: 80, from: 'anywhere' },
      { port: 3306, from: ['10.0.0.1', '10.0.0.2'] },
    ]);
  });

  it('opens for addresses of both families, and for nobody when there are none', () => {
    const rules = firewallText([
      { port: 22, from: 'anywhere' },
      { port: 80, from: ['fd00::1', '10.0.0.1'] },
      { port: 3306, from: [] },
    ]);
    expect(rules.split('\n').filter((it) => it.includes('tcp dport'))).toEqual([
      '    tcp dport 22 accept',
      '    ip saddr { 10.0.0.1 } tcp dport 80 accept',
      '    ip6 saddr { fd00::1 } tcp dport 80 accept',
    ]);
  });

  it('replaces its own table and names no other', () => {
    const tables = [...firewallText([]).matchAll(/table (\S+ \S+)/g)].map((it) => it[1]);
    expect(new Set(tables)).toEqual(new Set(['inet silverlining']));
    expect(() => firewallText([{ port: 1, from: ['1.2.3.4 }\nflush ruleset'] }])).toThrow('cannot stand as address');
  });
});
