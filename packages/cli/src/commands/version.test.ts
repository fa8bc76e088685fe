import { readFileSync } from 'node:fs';
import { VERSION } from '@silverlining/protocol/version';
import { expect, it } from 'vitest';

it.each(['', 'packages/protocol/', 'packages/system/', 'packages/agent/', 'packages/controller/', 'packages/cli/'])(
  'the version is that of %spackage.json',
  (directory) => {
    const text = readFileSync(new URL(`../../../../${directory}package.json`, import.meta.url), 'utf8');
    expect(JSON.parse(text)).toMatchObject({ version: VERSION });
  },
);
