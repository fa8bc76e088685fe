import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '@silverlining/system';
import { expect, it } from 'vitest';
import { commands, useCommands } from '../../../../test/fakes/commands.ts';
import { execApart, inScope, untilNoneApart } from './systemd.ts';

useCommands();

/** Runs what comes after the first `--`, as its child. */
const RUNNER = 'while [ "$1" != -- ]; do shift; done\nshift\n"$@"';

it('a command in a scope of its own is killed no later than others, and is as it is where there is no systemd', async () => {
  const argv = ['cat', '/proc/self/oom_score_adj'];
  expect(await inScope(argv, `${commands.folder}/none`)).toEqual(argv);
  await commands.put('systemd-run', `[ "$1" = --scope ] || exit 1; echo 300 > /proc/self/oom_score_adj\n${RUNNER}`);
  expect((await exec(await inScope(argv, commands.folder))).stdout).toBe('0\n');
});

it('a command goes on, and is read, when nobody waits for it any more', async () => {
  await commands.put('systemd-run', RUNNER);
  const { folder } = commands;
  const wait = new AbortController();
  const lines: string[] = [];
  const onLine = (line: string) => {
    lines.push(line);
    wait.abort();
  };
  // As maintainer scripts of packages: what cannot be written ends it.
  const script = `set -e; echo begun; timeout 60 sh -c 'until test -e ${folder}/go; do sleep 0.01; done'; echo more; echo well > ${folder}/end`;
  const work = execApart(['sh', '-c', script], { env: {}, signal: wait.signal, onLine }, folder);
  await expect(work).rejects.toMatchObject({ code: 'E_ABORTED' });
  const atRest = untilNoneApart();
  await writeFile(join(folder, 'go'), '');
  await atRest;
  expect(await readFile(join(folder, 'end'), 'utf8')).toBe('well\n');
  expect(lines).toEqual(['begun']);
});
