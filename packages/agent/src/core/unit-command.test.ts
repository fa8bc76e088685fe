import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { agentPaths } from './paths.ts';
import { flagsOfUnit } from './unit-command.ts';

const { runtimeLink: node, bundleLink: bundle } = agentPaths();
const flagsOf = (unit: string) => flagsOfUnit(unit, { node, bundle });

it('finds the flags of the unit that is shipped', async () => {
  const unit = await readFile(new URL('../../../../bootstrap/silver-agent.service', import.meta.url), 'utf8');
  expect(flagsOf(unit)).toContain('--expose-gc');
  expect(flagsOf(`[Service]\nExecStart=${node}   ${bundle} \n`)).toEqual([]);
});

it.each([
  '',
  '[Service]\n',
  `ExecStart=${bundle}`,
  `ExecStart=/usr/bin/node ${bundle}`,
  `#ExecStart=${node} ${bundle}`,
])('takes %j for none of an agent', (unit) => expect(flagsOf(unit)).toBeUndefined());
