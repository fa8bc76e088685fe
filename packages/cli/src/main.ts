import { SlError, toSlError } from '@silverlining/protocol/errors';
import { CommanderError } from 'commander';
import { EXIT, exitStatus } from './exit-status.ts';
import { createProgram } from './program.ts';
import { errorLines } from './render/error.ts';
import { plain } from './render/paint.ts';
import { document } from './run.ts';

/** Runs `sl` with the arguments after its name; returns the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    await program.command.parseAsync(argv, { from: 'user' });
    return program.status();
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) return reportFailure(toSlError(thrown), argv);
    if (thrown.exitCode === 0) return EXIT.done;
    // Commander has written the message for people already.
    if (argv.includes('--json')) writeDocument(new SlError('E_USAGE', wordsOf(thrown)));
    return EXIT.wrongInput;
  }
}

/** Where no command is given, commander shows its help and says nothing else. */
function wordsOf({ code, message }: CommanderError): string {
  return code === 'commander.help' ? 'no command was given' : message.replace(/^error: /, '');
}

/** What failed before a command's own work began. */
function reportFailure(error: SlError, argv: readonly string[]): number {
  if (argv.includes('--json')) writeDocument(error);
  const verbose = argv.includes('--verbose') || argv.includes('-v');
  process.stderr.write(`${errorLines(error, verbose, plain).join('\n')}\n`);
  return exitStatus({ error });
}

function writeDocument(error: SlError): void {
  process.stdout.write(`${JSON.stringify(document({}, error), undefined, 2)}\n`);
}

/**
 * A full disk behind `>` is an error. That nobody reads on, as `head` does not, is none, and no reason to leave undone what was asked for:
 * the exit status says how it ended, as it does where progress and errors cannot be told.
 */
export function endWithOutput(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') return;
    process.stderr.write(`error: standard output cannot be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
}
