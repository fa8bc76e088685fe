import { join } from 'node:path';
import { exec } from '@silverlining/system';
import * as z from 'zod/mini';
import { type Original, type OriginalFolder, original, originalFolder } from '../../core/converge/originals.ts';
import type { ConvergeHost, Executors, StateFile } from '../../ports.ts';
import { stateFile } from '../state-file.ts';
import { unitAction, untilNoneApart } from '../systemd.ts';
import { absentExecutor } from './absent.ts';
import { blockExecutor } from './block.ts';
import { commandExecutor } from './command.ts';
import { directoryExecutor } from './directory.ts';
import { fileExecutor } from './file.ts';
import { formerUnitExecutor } from './former-unit.ts';
import { hostnameExecutor } from './hostname.ts';
import { linkExecutor } from './link.ts';
import { mysqlDatabaseExecutor, type PasswordMarks } from './mysql-database.ts';
import { type Observations, observe } from './observations.ts';
import { createOriginals } from './originals.ts';
import { packagesExecutor } from './packages.ts';
import { unitExecutor } from './unit.ts';
import { unitControl } from './unit-control.ts';
import { userExecutor } from './user.ts';

const CHECK_DEADLINE = 60_000;

/** This node, as something that resources can be applied to. `state` is the folder of the agent's own files. */
export function createConvergeHost(state: string, root = ''): ConvergeHost {
  const kept = {
    file: stateFile<Original[]>(join(state, 'originals.json'), z.array(original), []),
    folders: stateFile<OriginalFolder[]>(join(state, 'original-folders.json'), z.array(originalFolder), []),
  };
  const originals = createOriginals(kept, unitControl, root);
  const marks = stateFile<PasswordMarks>(join(state, 'mysql-passwords.json'), z.record(z.string(), z.string()), {});
  return {
    open(resources, context) {
      const node = observe(resources, { ...context, root });
      return {
        executors: createExecutors(node, marks),
        keepOriginals: ({ type }) => originals.keep(resources, type === 'packages' ? 'units' : 'everything'),
        reloadDaemon: () => node.reloadDaemon(),
        async check(argv) {
          await exec(argv, { signal: context.signal, code: 'E_RESOURCE', deadline: CHECK_DEADLINE, cwd: '/' });
        },
        act: (unit, action) => unitAction(action, unit, context.signal),
      };
    },
    async putBack() {
      // A package manager that an `sl up` which was cancelled left at work starts the services that it installs.
      await untilNoneApart();
      return originals.putBack();
    },
  };
}

function createExecutors(node: Observations, marks: StateFile<PasswordMarks>): Executors {
  return {
    packages: packagesExecutor(node),
    user: userExecutor(node),
    directory: directoryExecutor(node),
    file: fileExecutor(node),
    link: linkExecutor(node),
    absent: absentExecutor(node),
    block: blockExecutor(node),
    unit: unitExecutor(node),
    'former-unit': formerUnitExecutor(node, unitControl),
    hostname: hostnameExecutor(node),
    'mysql-database': mysqlDatabaseExecutor(node, marks),
    command: commandExecutor(node),
  };
}
