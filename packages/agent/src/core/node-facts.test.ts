import { expect, it } from 'vitest';
import { parseLoad, parseMemory, parseOsRelease } from './node-facts.ts';

it('reads what Linux says of itself', () => {
  expect(parseOsRelease('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n')).toEqual({
    id: 'debian',
    version: '12',
    name: 'Debian GNU/Linux 12 (bookworm)',
  });
  expect(parseMemory('MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable:   400 kB\n')).toEqual({
    used: 600 * 1024,
    total: 1000 * 1024,
  });
  expect(parseLoad('0.52 0.58 0.59 1/389 12345\n')).toBe(0.52);
});
