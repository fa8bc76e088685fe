import { expect, it } from 'vitest';
import { type ProgramName, programChange } from './program-change.ts';

const agent: ProgramName = { version: '0.1.0', bundle: 'a'.repeat(64), runtime: '24.20.0', unit: 'u' };

it.each<[string, Partial<ProgramName>, string | undefined]>([
  ['nothing, when they are the same', {}, undefined],
  ['versions', { version: '0.2.0', bundle: 'b' }, '0.1.0 -> 0.2.0'],
  ['digests, within a version', { bundle: 'b'.repeat(64) }, '0.1.0 (aaaaaaaa) -> 0.1.0 (bbbbbbbb)'],
  ['Node', { runtime: '24.21.0' }, 'Node 24.20.0 -> 24.21.0'],
  ['the unit file', { unit: 'v' }, 'unit file'],
  [
    'all of it',
    { version: '0.2.0', bundle: 'b', runtime: '24.21.0', unit: 'v' },
    '0.1.0 -> 0.2.0, Node 24.20.0 -> 24.21.0, unit file',
  ],
])('agents differ by %s', (_what, other, text) => {
  expect(programChange(agent, { ...agent, ...other })).toBe(text);
});

it('an agent that does not say what else it is made of differs by its bundle alone', () => {
  const older = { ...agent, runtime: undefined, unit: undefined };
  expect(programChange(older, agent)).toBeUndefined();
  expect(programChange(older, { ...agent, version: '0.2.0', bundle: 'b' })).toBe('0.1.0 -> 0.2.0');
});
