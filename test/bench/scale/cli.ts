/** `sl`, as a user runs it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Workspace } from './workspace.ts';

const SL = join(import.meta.dirname, '../../../packages/cli/bin/sl.js');
const MAX_OUTPUT = 64 << 20;
const run = promisify(execFile);

/** Runs it and returns its JSON; throws with what it said when its exit status is not 0. */
export async function runCli({ env }: Workspace, argv: readonly string[]): Promise<unknown> {
  try {
    const { stdout } = await run(process.execPath, [SL, ...argv, '--json'], { env, maxBuffer: MAX_OUTPUT });
    return JSON.parse(stdout);
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trimEnd().split('\n') : [];
    throw new Error(`sl ${argv.join(' ')}: ${said.slice(-3).join('\n')}`);
  }
}
