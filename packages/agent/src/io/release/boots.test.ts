import { rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createBoots } from './boots.ts';

it('a boot is one until all that it asks for is done, and the next one again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-boots-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const boots = createBoots(join(folder, 'boot-id'));
  expect([await boots.rebooted(), await boots.rebooted()]).toEqual([true, true]);
  await boots.noteBoot();
  expect(await boots.rebooted()).toBe(false);
  await writeFile(join(folder, 'boot-id'), 'another\n');
  expect(await boots.rebooted()).toBe(true);
});
