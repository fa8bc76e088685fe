import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { execApart } from './systemd.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sl-apart-'));
  // Runs what comes after `--`, as its child.
  await writeFile(join(folder, 'systemd-run'), '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\n"$@"\n');
  await chmod(join(folder, 'systemd-run'), 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

it('a command goes on, and is read, when nobody waits for it any more', async () => {
  const wait = new AbortController();
  const lines: string[] = [];
  const onLine = (line: string) => {
    lines.push(line);
    wait.abort();
  };
  // As maintainer scripts of packages: what cannot be written ends it.
  const script = `set -e; echo begun; until test -e ${folder}/go; do sleep 0.01; done; echo more; echo well > ${folder}/end`;
  const work = execApart(['sh', '-c', script], { env: {}, signal: wait.signal, onLine }, folder);
  await expect(work).rejects.toMatchObject({ code: 'E_ABORTED' });
  await writeFile(join(folder, 'go'), '');
  await expect.poll(() => readFile(join(folder, 'end'), 'utf8').catch(() => ''), { timeout: 30_000 }).toBe('well\n');
  expect(lines).toEqual(['begun']);
});
