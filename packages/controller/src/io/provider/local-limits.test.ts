import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { raiseInotifyLimit } from './local-limits.ts';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-limits-'));
  file = join(directory, 'max_user_instances');
});

afterEach(() => rm(directory, { recursive: true }));

it('raises a limit that is too low for a fleet', async () => {
  await writeFile(file, '128\n');
  await raiseInotifyLimit(file);
  expect(Number(await readFile(file, 'utf8'))).toBe(8192);
});

it('never lowers one', async () => {
  await writeFile(file, '524288\n');
  await raiseInotifyLimit(file);
  expect(await readFile(file, 'utf8')).toBe('524288\n');
});
