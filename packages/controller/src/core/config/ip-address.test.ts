import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHostLine } from './host-line.ts';
import { plainAddress } from './ip-address.ts';

describe('an address', () => {
  it.each([
    ['10.0.0.5', '10.0.0.5'],
    ['FD00:0:0::0:07', 'fd00::7'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['10:0:0:0:0:0:0:10', '10::10'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::FFFF:10.0.0.5', '10.0.0.5'],
    ['::ffff:a00:5', '10.0.0.5'],
  ])('%s is written as others write it: %s', (text, plain) => {
    expect(plainAddress(text)).toBe(plain);
    expect(parseHostLine(`app1 ${text} port=22`, 'a.test')).toMatchObject({ host: { address: plain } });
  });

  it('of IPv6 has one form, whatever it was written like', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        fc.pre(groups.slice(0, 5).some((it) => it !== 0));
        const long = groups.map((it) => it.toString(16).padStart(4, '0').toUpperCase()).join(':');
        const plain = new URL(`http://[${long}]/`).hostname.slice(1, -1);
        expect(plainAddress(long)).toBe(plain);
        expect(plainAddress(plain)).toBe(plain);
      }),
    );
  });
});
