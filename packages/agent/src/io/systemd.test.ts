import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commands, useCommands } from '../../../../test/fakes/commands.ts';
import { execApart, untilNoneApart } from './systemd.ts';

useCommands();

it('a command goes on, and is read, when nobody waits for it any more', async () => {
  // Runs what comes after `--`, as its child.
  await commands.put('systemd-run', 'while [ "$1" != -- ]; do shift; done\nshift\n"$@"');
  const { folder } = commands;
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
  const atRest = untilNoneApart();
  await writeFile(join(folder, 'go'), '');
  await atRest;
  expect(await readFile(join(folder, 'end'), 'utf8')).toBe('well\n');
  expect(lines).toEqual(['begun']);
});
