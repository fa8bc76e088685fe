import type { Command } from 'commander';
import { addHelpCommand } from './help-command.ts';
import { examples, linesOption, withGlobals } from './options.ts';
import type { Act } from './run.ts';

const load = () => import('./commands/controller.ts');

/** `sl controller ...` and `sl version`. */
export function addControllerCommands(program: Command, act: Act): void {
  withGlobals(program.command('version'))
    .summary('show the version')
    .description('Show the version of sl and of the Node.js that runs it.')
    .addHelpText('after', examples(['sl version', 'sl version --json']))
    .action(act(async () => (await import('./commands/version.ts')).version()));
  const controller = withGlobals(program.command('controller'), { shortFile: false })
    .summary('the background controller')
    .description('The controller that serves the agents in the background. Commands that need it start it.')
    .addHelpText('after', examples(['sl controller status', 'sl controller logs -f']));
  withGlobals(controller.command('start'))
    .description('Start the controller, if it does not run.')
    .addHelpText('after', examples(['sl controller start']))
    .action(act(async (context) => (await load()).start(context)));
  withGlobals(controller.command('stop'))
    .description('Stop the controller. The nodes go on serving without it.')
    .option('--force', 'cancel what is running, and kill a controller that does not answer')
    .addHelpText('after', examples(['sl controller stop', 'sl controller stop --force']))
    .action(act(async (context, command) => (await load()).stop(context, command.opts())));
  withGlobals(controller.command('status'))
    .description('Show whether the controller runs, where, and what it is doing.')
    .addHelpText('after', examples(['sl controller status --json']))
    .action(act(async (context) => (await load()).status(context)));
  withGlobals(controller.command('logs'), { shortFile: false })
    .description("Show the last lines of the controller's own log.")
    .addOption(linesOption())
    .option('-f, --follow', 'go on with new lines until Ctrl-C')
    .addHelpText('after', examples(['sl controller logs -n 20', 'sl controller logs -f']))
    .action(
      act(async (context, command) =>
        (await load()).logs(context, command.opts<{ lines: number; follow?: boolean }>()),
      ),
    );
  withGlobals(controller.command('run'))
    .description('Run the controller in the foreground, for a service manager or to watch it.')
    .addHelpText('after', examples(['sl controller run']))
    .action(act(async (context) => (await load()).run(context)));
  addHelpCommand(controller);
}
