import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerSet } from '@silverlining/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { planOf } from './plan.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const formerOf = async (formerFile: string | undefined) => {
  const plan = { set: 'shop', nodes: [], steps: [], changes: 0 };
  const client = { plan: async () => (formerFile === undefined ? plan : { ...plan, formerFile }) };
  return (await planOf(client, { set: { file: at('silver.ini') } as ServerSet })).formerFile;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sl-plan-'));
  writeFileSync(at('silver.ini'), 'this one');
});
afterEach(() => rmSync(folder, { recursive: true }));

it('names the file of another project', async () => {
  writeFileSync(at('other.ini'), 'that one');
  expect(await formerOf(at('other.ini'))).toBe(at('other.ini'));
});

it.each<[string, () => string | undefined]>([
  ['there was none', () => undefined],
  ['it is gone', () => at('gone.ini')],
  ['nobody can look at it', () => at('silver.ini/silver.ini')],
  ['a link leads to this one', () => link(symlinkSync)],
  ['it is this one by another name', () => link(linkSync)],
])('names none where %s', async (_what, former) => {
  expect(await formerOf(former())).toBeUndefined();
});

function link(make: (target: string, path: string) => void): string {
  make(at('silver.ini'), at('same.ini'));
  return at('same.ini');
}
