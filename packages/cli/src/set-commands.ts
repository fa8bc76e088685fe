import { type Command, Option } from 'commander';
import type { LogsOptions } from './commands/logs.ts';
import { refuseCommand } from './help-command.ts';
import { examples, linesOption, withGlobals } from './options.ts';
import type { Act } from './run.ts';

/** The commands that are about a server set. */
export function addSetCommands(program: Command, act: Act): void {
  addFileCommands(program, act);
  addReleaseCommands(program, act);
  addWatchCommands(program, act);
}

/** For commands that need no more of the file than the set's name. */
function setOption(): Option {
  return new Option('--set <name>', 'name of the set, in place of its file');
}

/** For commands that switch: their exit status then says whether the release was still good some seconds later. */
function watchOption(): Option {
  return new Option('--watch', 'end when the new release is trusted, or rolled back: for scripts that go on with it');
}

function addFileCommands(program: Command, act: Act): void {
  withGlobals(program.command('check'))
    .summary('check the server set file')
    .description('Check the server set file and all that it refers to. Every problem is reported, with file and line.')
    .option('--resolved', 'show every option with its value and where it comes from')
    .addHelpText('after', examples(['sl check', 'sl check --resolved -f staging.ini']))
    .action(act(async (context, command) => (await import('./commands/check.ts')).check(context, command.opts())));
  withGlobals(program.command('plan'))
    .summary('show what sl up would do')
    .description('Show what sl up would do, without doing it.')
    .option('--deep', 'ask the nodes, too, what of their setup differs')
    .addHelpText('after', examples(['sl plan', 'sl plan --deep --json']))
    .action(act(async (context, command) => (await import('./commands/plan.ts')).plan(context, command.opts())));
  withGlobals(program.command('up'))
    .summary('make the file real')
    .description(
      'Make the file real: create missing nodes, set them up, deploy what changed, switch.\nShows the plan and asks first. Ctrl-C stops it; twice does not wait until it has stopped.',
    )
    .addOption(watchOption())
    .addHelpText('after', examples(['sl up', 'sl up --yes --watch --json']))
    .action(act(async (context, command) => (await import('./commands/up.ts')).up(context, command.opts())));
  withGlobals(program.command('down'))
    .summary('destroy the set')
    .description('Destroy the nodes of the set and everything on them. Names them and asks first.')
    .addOption(setOption())
    .addHelpText('after', examples(['sl down', 'sl down --set shop --yes']))
    .action(act(async (context, command) => (await import('./commands/down.ts')).down(context, command.opts())));
}

function addReleaseCommands(program: Command, act: Act): void {
  withGlobals(program.command('deploy'))
    .argument('[app...]', 'apps to deploy (default: all)')
    .summary('deploy apps')
    .description(
      'Stage a new release of the apps on every app server, and switch to it everywhere at once.\nIf anything fails before the switch, nothing has changed.',
    )
    .addOption(watchOption())
    .addOption(
      new Option('--attach <id>', 'follow an operation that runs already, or ended lately, from its beginning')
        // It waits, or not, as whoever began it asked for.
        .conflicts('watch'),
    )
    .addHelpText('after', examples(['sl deploy', 'sl deploy blog shop', 'sl deploy --attach deploy-Xy12AbCd']))
    .action(
      act(async (context, command) =>
        (await import('./commands/deploy.ts')).deploy(context, command.args, command.opts()),
      ),
    );
  withGlobals(program.command('rollback'))
    .argument('[app]', 'app to roll back (default: all that the last deploy switched)')
    .summary('switch back to an earlier release')
    .description('Switch back to a release that is still on the nodes: the one before, or the one that is named.')
    .option('--to <instance>', 'release to switch to, as sl deploys and sl status name it')
    .addOption(watchOption())
    .addOption(setOption())
    .addHelpText('after', examples(['sl rollback', 'sl rollback blog --to blog.20260131_002']))
    .action(
      act(async (context, command) =>
        (await import('./commands/rollback.ts')).rollback(context, command.args[0], command.opts()),
      ),
    );
  addDeploysCommands(program, act);
}

function addDeploysCommands(program: Command, act: Act): void {
  const load = () => import('./commands/deploys.ts');
  const deploys = withGlobals(program.command('deploys'))
    .summary('list past deploys, or show one')
    .description('List the deploys of the set, newest first, with what became of them.')
    .addOption(setOption())
    .addHelpText('after', examples(['sl deploys', 'sl deploys show deploy-Xy12', 'sl deploys --json']))
    // Of a command that does something itself, commander takes a misspelt one below it for an argument too many.
    .allowExcessArguments()
    .hook('preAction', async (group, acting) => {
      const [word] = acting.args;
      if (acting === group && word !== undefined) await refuseCommand(group, word);
    })
    .action(act(async (context, command) => (await load()).deploys(context, command.opts())));
  withGlobals(deploys.command('show'))
    .argument('[id]', 'id of the deploy, or the beginning of it (default: the last)')
    .addOption(setOption())
    .description('Show what happened on each node and when, what was sent, and the requests around the switch.')
    .addHelpText('after', examples(['sl deploys show', 'sl deploys show deploy-Xy12 --json']))
    .action(
      act(async (context, command) =>
        (await load()).showDeploy(context, command.args[0], command.optsWithGlobals<{ set?: string }>()),
      ),
    );
}

function addWatchCommands(program: Command, act: Act): void {
  withGlobals(program.command('status'))
    .summary('show nodes and apps')
    .description('Show the nodes with their health as their agents report it, and which releases are active.')
    .option('-w, --watch', 'show it again every two seconds')
    .addOption(setOption())
    .addHelpText('after', examples(['sl status', 'sl status --watch', 'sl status --set shop --json']))
    .action(act(async (context, command) => (await import('./commands/status.ts')).status(context, command.opts())));
  withGlobals(program.command('logs'), { shortFile: false })
    .argument('[app]', 'app whose logs are shown (default: all)')
    .summary("show the apps' logs")
    .description(
      "Show the last lines of the apps' logs, of all nodes in the order of their times.\nHere -f is --follow; the server set file is --file FILE, or -f FILE before the word logs.",
    )
    .addOption(linesOption())
    .option('-f, --follow', 'go on with new lines until Ctrl-C')
    .option('--node <name>', 'of this node only')
    .addOption(setOption())
    .addHelpText(
      'after',
      examples(['sl logs', 'sl logs blog -n 20 -f', 'sl logs --node app1.shop.internal', 'sl -f staging.ini logs -f']),
    )
    .action(
      act(async (context, command) =>
        (await import('./commands/logs.ts')).logs(context, command.args[0], command.opts<LogsOptions>()),
      ),
    );
}
