import { constants } from 'node:fs/promises';
import { join } from 'node:path';
import { type App, SlError, toSlError } from '@silverlining/protocol';
import { exec, exists } from '@silverlining/system';

/** Milliseconds for the whole check. */
const DEADLINE = 60_000;

/**
 * Runs the app's `config.checker` on this machine, in the app's folder, with `SILVER_APP_CONFIG` naming the configuration.
 * E_APP_CONFIG with what it printed when it does not exit with 0. Nothing to do without a checker or a configuration.
 */
export async function checkAppConfig(app: App, signal: AbortSignal, deadline = DEADLINE): Promise<void> {
  const { name, dir, config, configChecker } = app;
  if (config === undefined || configChecker === undefined) return;
  const [program = '', ...args] = configChecker;
  const env = { ...process.env, SILVER_APP_CONFIG: config };
  try {
    await exec([await find(program, dir), ...args], { cwd: dir, env, signal, deadline, code: 'E_APP_CONFIG' });
  } catch (cause) {
    const error = toSlError(cause);
    if (error.code === 'E_ABORTED') throw error;
    const message = `${name}: config.checker refuses ${config}: ${error.message}`;
    throw new SlError('E_APP_CONFIG', message, { cause, details: { ...error.details, app: name } });
  }
}

/** As for update_fetch scripts: in the app's `bin`, in its folder, or on the system. */
async function find(program: string, dir: string): Promise<string> {
  for (const path of [join(dir, 'bin', program), join(dir, program)]) {
    if (await exists(path, constants.X_OK)) return path;
  }
  return program;
}
