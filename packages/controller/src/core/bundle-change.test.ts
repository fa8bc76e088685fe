import { expect, it } from 'vitest';
import { bundleChange } from './bundle-change.ts';

const bundle = (version: string, letter: string) => ({ version, digest: letter.repeat(64) });

it.each([
  ['nothing, when they are the same', bundle('0.1.0', 'a'), bundle('0.1.0', 'a'), undefined],
  ['versions', bundle('0.1.0', 'a'), bundle('0.2.0', 'b'), '0.1.0 -> 0.2.0'],
  ['digests, within a version', bundle('0.1.0', 'a'), bundle('0.1.0', 'b'), '0.1.0 (aaaaaaaa) -> 0.1.0 (bbbbbbbb)'],
])('bundles differ by %s', (_what, from, to, text) => {
  expect(bundleChange(from, to)).toBe(text);
});
