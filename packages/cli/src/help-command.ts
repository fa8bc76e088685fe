import type { Command } from 'commander';
import { EXIT } from './exit-status.ts';

/** `help` of a group of commands: also for commands of its groups, and for words that are none. */
export function addHelpCommand(group: Command): void {
  group
    .helpCommand(false)
    .command('help')
    .argument('[command...]')
    .summary('show what a command does')
    .description('Show what a command does.')
    .action(async (words: string[]) => {
      let shown = group;
      for (const word of words)
        shown = shown.commands.find((it) => it.name() === word) ?? (await refuseCommand(shown, word));
      shown.help();
    });
}

/** In the words that commander has for commands that it does not know. */
export async function refuseCommand(group: Command, word: string): Promise<never> {
  const { suggest } = await import('@silverlining/controller');
  const meant = suggest(
    word,
    group.commands.map((it) => it.name()),
  );
  const suggestion = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
  return group.error(`error: unknown command '${word}'${suggestion}`, { exitCode: EXIT.wrongInput });
}
