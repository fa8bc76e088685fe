import { createInterface } from 'node:readline/promises';
import { SlError } from '@silverlining/protocol/errors';
import type { Context } from './context.ts';

export interface Confirmation {
  question: string;
  /** What has to be typed; `y` or `yes` when not given. */
  answer?: string;
}

/** Asks on the terminal unless `--yes`; E_NOT_CONFIRMED when the answer is another one, or there is nobody to ask. */
export async function confirm(context: Context, { question, answer }: Confirmation): Promise<void> {
  const { globals, stdin, stderr } = context;
  if (globals.yes) return;
  if (!stdin.isTTY) {
    throw new SlError(
      'E_NOT_CONFIRMED',
      'this has to be confirmed and there is no terminal to ask on: give --yes to agree beforehand',
    );
  }
  const lines = createInterface({ input: stdin, output: stderr });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  // Ctrl-C and Ctrl-D close the interface and are a no.
  lines.on('SIGINT', () => {
    stderr.write('\n');
    lines.close();
  });
  const typed = await Promise.race([lines.question(`${question} `), closed]);
  lines.close();
  const agreed = answer === undefined ? /^y(?:es)?$/i.test(typed.trim()) : typed.trim() === answer;
  if (!agreed) throw new SlError('E_NOT_CONFIRMED', 'not confirmed; nothing was changed');
}
