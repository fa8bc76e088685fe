import { describe, expect, it } from 'vitest';
import { chooseAddress, chooseSubnet, formatAddress, macOf, overlaps, parseRange } from './local-subnet.ts';

const range = (text: string) => parseRange(text) ?? { first: -1, last: -1 };

describe('parseRange', () => {
  it('reads addresses and networks, and nothing else', () => {
    expect(parseRange('10.1.2.3')).toEqual({ first: 167838211, last: 167838211 });
    expect(parseRange('192.168.1.77/24')).toEqual(range('192.168.1.0/24'));
    expect(range('255.255.255.255').last).toBe(2 ** 32 - 1);
    expect(parseRange('default')).toBeUndefined();
    expect(parseRange('fe80::/64')).toBeUndefined();
  });
});

describe('chooseSubnet', () => {
  it('skips networks that clash with a route, wider and narrower ones too', () => {
    expect(chooseSubnet(0, [])).toEqual(range('10.64.0.0/24'));
    expect(chooseSubnet(0, [range('10.64.0.0/23'), range('10.64.2.9')])).toEqual(range('10.64.3.0/24'));
    expect(chooseSubnet(64 * 256 - 1, [range('10.127.255.0/24')])).toEqual(range('10.64.0.0/24'));
  });

  it('finds nothing when everything is taken', () => {
    expect(chooseSubnet(5, [range('10.0.0.0/8')])).toBeUndefined();
  });
});

describe('chooseAddress', () => {
  it('gives the lowest free address, and holds 200 nodes', () => {
    const taken: string[] = [];
    for (let node = 0; node < 253; node += 1) taken.push(chooseAddress(range('10.64.0.0/24'), taken) ?? '');
    expect(taken[0]).toBe('10.64.0.2');
    expect(new Set(taken).size).toBe(253);
    expect(taken.at(-1)).toBe('10.64.0.254');
    expect(chooseAddress(range('10.64.0.0/24'), taken)).toBeUndefined();
    expect(chooseAddress(range('10.64.0.0/24'), taken.toSpliced(5, 1))).toBe('10.64.0.7');
  });
});

describe('addresses', () => {
  it('are formatted, compared and given a MAC', () => {
    expect(formatAddress(range('10.127.255.1').first)).toBe('10.127.255.1');
    expect(macOf('10.64.0.200')).toBe('02:51:0a:40:00:c8');
    expect(overlaps(range('10.0.0.0/8'), range('10.64.0.0/24'))).toBe(true);
    expect(overlaps(range('10.64.1.0/24'), range('10.64.0.0/24'))).toBe(false);
  });
});
