/** Parts that the definitions of commands share. */
import { type Command, InvalidArgumentError, Option } from 'commander';

/** Adds the options that every command has. Where `-f` means `--follow`, the file has its long name only. */
export function withGlobals(command: Command, { shortFile = true } = {}): Command {
  const group = 'Global options:';
  return command
    .addOption(new Option(shortFile ? '-f, --file <file>' : '--file <file>', FILE_HELP).helpGroup(group))
    .addOption(new Option('-y, --yes', 'agree to everything that would be asked').helpGroup(group))
    .addOption(new Option('--json', 'print one JSON document on standard output').helpGroup(group))
    .addOption(new Option('--no-color', 'no colours (also by $NO_COLOR)').helpGroup(group))
    .addOption(new Option('-v, --verbose', 'show more progress, and the causes of errors').helpGroup(group));
}

const FILE_HELP = 'server set file (default: $SILVER_FILE, or silver.ini here or above)';

/** The end of a command's help. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}

/** `-n`, `--lines`. */
export function linesOption(): Option {
  return new Option('-n, --lines <number>', 'how many of the last lines').default(100).argParser((text) => {
    const lines = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (lines <= 100_000) return lines;
    throw new InvalidArgumentError('It has to be a whole number from 0 to 100000.');
  });
}
