import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { commands, useCommands } from '../../../../../test/fakes/commands.ts';
import { createInstanceUnits } from './instance-units.ts';

useCommands();

/** A journal with these lines of everything. */
async function journal(lines: readonly string[]): Promise<void> {
  const path = `${commands.folder}/lines`;
  await writeFile(path, `${lines.join('\n')}\n`);
  await commands.put('journalctl', `exec cat ${path}`);
}

it('the log of an app that writes much goes into a message, its newest lines', async () => {
  await journal(Array.from({ length: 60 }, (_, i) => `line ${i} ${'é'.repeat(20_000)}`));
  const units = createInstanceUnits(commands.folder);
  const log = await units.log('blog.20250101_001', 60);
  expect(log.at(-1)).toMatch(/^line 59 é+$/);
  expect(Buffer.byteLength(log.join(''))).toBeLessThanOrEqual(32 << 10);
  expect(Buffer.byteLength((await units.log('blog.20250101_001', 60, 1000)).join(''))).toBeLessThanOrEqual(1000);
});
