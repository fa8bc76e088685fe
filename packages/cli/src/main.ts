import { SlError, toSlError } from '@silverlining/protocol/errors';
import { CommanderError } from 'commander';
import { EXIT } from './exit-status.ts';
import { createProgram } from './program.ts';
import { document } from './run.ts';

/** Runs `sl` with the arguments after its name; returns the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    await program.command.parseAsync(argv, { from: 'user' });
    return program.status();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw toSlError(error);
    if (error.exitCode === 0) return EXIT.done;
    if (argv.includes('--json')) writeUsageError(error.message);
    return EXIT.wrongInput;
  }
}

/** Commander has written the message for people already. */
function writeUsageError(message: string): void {
  const error = new SlError('E_USAGE', message.replace(/^error: /, ''));
  process.stdout.write(`${JSON.stringify(document({}, error), undefined, 2)}\n`);
}

/** `sl logs | head` is no error. */
export function endQuietlyOnClosedPipe(): void {
  process.stdout.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
}
