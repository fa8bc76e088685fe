import { readFile } from 'node:fs/promises';
import { resource } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { commands, useCommands } from '../../../../../test/fakes/commands.ts';
import { observe } from './observations.ts';

useCommands();

it('systemd is told once of files of units that an agent changed which was cut off before it told of them', async () => {
  const log = `${commands.folder}/log`;
  const script = [
    `echo "$1" >> ${log}`,
    `case "$1" in daemon-reload) exit ;; esac`,
    'printf "Id=apache2.service\\nNames=apache2.service\\nLoadState=loaded\\nActiveState=active\\n"',
    `printf "SubState=running\\nUnitFileState=enabled\\nNeedDaemonReload=$(grep -q daemon ${log} && echo no || echo yes)\\n"`,
  ];
  await commands.put('systemctl', script.join('\n'));
  const unit = resource.parse({ type: 'unit', name: 'apache2.service', enabled: true, running: true });
  const node = observe([unit], { signal: new AbortController().signal, say: () => undefined });
  for (let i = 0; i < 2; i++) expect((await node.units()).get('apache2.service')).not.toHaveProperty('outdated');
  expect(await readFile(log, 'utf8')).toBe('show\ndaemon-reload\nshow\n');
});
