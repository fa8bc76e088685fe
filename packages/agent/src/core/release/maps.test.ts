import { describe, expect, it } from 'vitest';
import { instanceJournal } from '../../../../../test/builders/instance-journal.ts';
import { activeMapText, instancesMapText, mapTransaction, othersMapText, parseShownMap } from './maps.ts';

it('other releases are those that are whole and not active, the newest first', () => {
  const journals = [
    instanceJournal('blog.20260131_999', 'stopped'),
    instanceJournal('blog.20260131_1000', 'prepared'),
    instanceJournal('blog.20260201_001', 'prepared'),
    instanceJournal('blog.20260201_002', 'failed'),
    instanceJournal('blog.20260201_003', 'staging'),
    instanceJournal('shop.20260101_001', 'stopped'),
  ];
  expect(othersMapText(journals, { blog: 'blog.20260201_001' })).toBe(
    'shop.1 shop.20260101_001\nblog.1 blog.20260131_1000\nblog.2 blog.20260131_999\n',
  );
});

describe('maps', () => {
  it('are sorted lines', () => {
    expect(
      instancesMapText(
        new Map([
          ['b.1', 20_001],
          ['a.1', 0],
        ]),
      ),
    ).toBe('a.1 static\nb.1 20001\n');
    expect(activeMapText({ shop: 'shop.2', blog: 'blog.1' })).toBe('blog blog.1\nshop shop.2\n');
  });

  it('go to HAProxy in commands that it takes, however many apps there are', () => {
    const active = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`app${i}`, `app${i}.20260131_001`]));
    const { add, commit } = mapTransaction('/etc/m', 7, active);
    expect(add.map((command) => command.split('\n').length - 2)).toEqual([100, 100, 50]);
    expect(Math.max(...add.map((command) => command.length))).toBeLessThan(16_384);
    expect(add[0]).toMatch(/^add map @7 \/etc\/m <<\napp0 app0\.20260131_001\n/);
    expect(commit).toBe('commit map @7 /etc/m');
  });

  it('come back from `show map`', () => {
    expect(parseShownMap('0x55d0 blog blog.1\n0x55d1 prev:blog blog.0\n\n')).toEqual({ blog: 'blog.1' });
  });
});
