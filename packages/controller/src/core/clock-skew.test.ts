import { expect, it } from 'vitest';
import { clockComplaint } from './clock-skew.ts';

const NOW = Date.UTC(2026, 0, 31);

it.each([
  [0, undefined],
  [9_999, undefined],
  [-10_000, undefined],
  [31_000, "its clock is 31 s ahead of this machine's"],
  [-90_000, "its clock is 2 min behind this machine's"],
  [3_599_990, "its clock is 1 h ahead of this machine's"],
  [3_600_000, "its clock is 1 h ahead of this machine's"],
  [-400 * 86_400_000, "its clock is 400 d behind this machine's"],
])('%d ms: %s', (off, complaint) => {
  expect(clockComplaint(NOW + off, NOW)).toBe(complaint);
});
