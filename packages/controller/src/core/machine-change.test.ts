import { expect, it } from 'vitest';
import { movedTo } from './machine-change.ts';

it.each([
  ['a machine of the user at another address', 'old', { uuid: undefined, address: 'new' }, 'new'],
  ['a machine of the user where it was', 'old', { uuid: undefined, address: 'old' }, undefined],
  ['a machine of the user that was never set up', undefined, { uuid: undefined, address: 'new' }, undefined],
  ['a machine of a provider, whatever its address', 'old', { uuid: 'u', address: 'new' }, undefined],
])('%s', (_what, address, found, moved) => {
  expect(movedTo({ address }, found)).toBe(moved);
  expect(movedTo(undefined, found)).toBeUndefined();
});
