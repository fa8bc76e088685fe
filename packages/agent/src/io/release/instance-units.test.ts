import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createInstanceUnits } from './instance-units.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-units-'));
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** A journal with these lines of everything. */
async function journal(lines: readonly string[]): Promise<void> {
  await writeFile(join(folder, 'lines'), `${lines.join('\n')}\n`);
  await writeFile(join(folder, 'journalctl'), `#!/bin/sh\nexec cat ${folder}/lines\n`);
  await chmod(join(folder, 'journalctl'), 0o755);
}

it('the log of an app that writes much goes into a message, its newest lines', async () => {
  await journal(Array.from({ length: 60 }, (_, i) => `line ${i} ${'é'.repeat(20_000)}`));
  const units = createInstanceUnits(folder);
  const log = await units.log('blog.20250101_001', 60);
  expect(log.at(-1)).toMatch(/^line 59 é+$/);
  expect(Buffer.byteLength(log.join(''))).toBeLessThanOrEqual(32 << 10);
  expect(Buffer.byteLength((await units.log('blog.20250101_001', 60, 1000)).join(''))).toBeLessThanOrEqual(1000);
});
