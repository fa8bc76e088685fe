import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commands, useCommands } from '../../../../../test/fakes/commands.ts';
import { execApart } from '../systemd.ts';
import { createConvergeHost } from './table.ts';

useCommands();

it('what was there before is put back when a package manager that nobody waits for has ended', async () => {
  await commands.put('systemd-run', 'while [ "$1" != -- ]; do shift; done\nshift\n"$@"');
  await commands.put('systemctl', '');
  const { folder } = commands;
  const done: string[] = [];
  const wait = new AbortController();
  const install = ['timeout', '60', 'sh', '-c', `until test -e ${folder}/go; do sleep 0.01; done; echo installed >&2`];
  const options = { env: {}, signal: wait.signal, onLine: () => wait.abort() };
  const installing = execApart(['sh', '-c', 'echo begun; exec "$@"', 'sh', ...install], options, folder);
  await expect(installing).rejects.toMatchObject({ code: 'E_ABORTED' });
  const back = createConvergeHost(folder, folder)
    .putBack()
    .then((problems) => done.push('put back', ...problems));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(done).toEqual([]);
  await writeFile(join(folder, 'go'), '');
  await back;
  expect(done).toEqual(['put back']);
});
