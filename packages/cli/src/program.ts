import { VERSION } from '@silverlining/protocol/version';
import { Command } from 'commander';
import { addControllerCommands } from './controller-commands.ts';
import { addHelpCommand } from './help-command.ts';
import { examples, withGlobals } from './options.ts';
import { type Act, runCommand } from './run.ts';
import { addSetCommands } from './set-commands.ts';

export interface Program {
  command: Command;
  /** Exit status of the command that ran. */
  status(): number;
}

/** All commands. Each one's own code is loaded when it runs, so that `sl --help` does not wait for it. */
export function createProgram(): Program {
  let status = 0;
  const act: Act =
    (work) =>
    async (...args) => {
      const command = args.at(-1);
      if (command instanceof Command) status = await runCommand(command, work);
    };
  const program = withGlobals(new Command('sl'))
    .description('One INI file describes a set of servers; sl up makes it real.')
    .version(VERSION, '-V, --version', 'show the version')
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText('after', examples(['sl check', 'sl up', 'sl deploy blog', 'sl rollback', 'sl status --watch']));
  addSetCommands(program, act);
  addControllerCommands(program, act);
  addHelpCommand(program);
  return { command: program, status: () => status };
}
