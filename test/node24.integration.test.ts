import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../bootstrap/node24.js', import.meta.url));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'node24-'));
});
afterEach(() => rm(home, { recursive: true }));

it.each(['plain', 'c#', '100% mine'])('runs a script, and exits as it does, from a folder called %s', async (name) => {
  const folder = join(home, name);
  await mkdir(folder);
  await cp(SCRIPT, join(folder, 'node24.js'));
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  await symlink(folder, join(home, 'link'));
  for (const place of [folder, join(home, 'link')]) {
    const { status, stderr } = spawnSync(process.execPath, [join(place, 'node24.js'), '-e', 'process.exit(3)']);
    expect({ status, stderr: String(stderr) }).toEqual({ status: 3, stderr: '' });
  }
});
