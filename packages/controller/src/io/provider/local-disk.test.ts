import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { removeDisk } from './local-disk.ts';
import { nodePaths } from './local-node-record.ts';

it('a disk that takes minutes to be removed gets them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sl-disk-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'rm'), `#!/bin/sh\nwhile [ ! -e ${folder}/done ]; do sleep 0.02; done\n`);
  await chmod(join(folder, 'rm'), 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    vi.unstubAllEnvs();
    vi.useRealTimers();
  });
  const removed = removeDisk(nodePaths(folder, 'c9d3a1f0-0000-4000-8000-000000000000')).then(() => 'removed', String);
  vi.advanceTimersByTime(10 * 60_000);
  await writeFile(join(folder, 'done'), '');
  expect(await removed).toBe('removed');
});
