/** How a program of a release is started by an agent that is root. */
import { SYSTEM_PATH } from './instance-env.ts';
import { environmentFile } from './quoting.ts';

export interface Script {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  /** `root` or the app's user. */
  user: string;
}

export interface ScriptCommand {
  argv: string[];
  env: Record<string, string>;
  /** For standard input. */
  input: string | undefined;
}

/** Takes its variables from standard input: argv is for everybody to read. An environment file is shell text as well. */
const WITH_VARIABLES = 'set -a; eval "$(cat)"; exec "$@" </dev/null';

/** Name a folder of the app, in which Python, Git or pip look for code and settings, and make files that they run. */
const OF_ITS_USER: ReadonlySet<string> = new Set(['HOME', 'TEMP', 'TMP', 'TMPDIR']);

/**
 * Variables of the app say where programs and libraries come from, also from folders that its user can write: such may not
 * reach a process that is root. A program of the app's user gets all of them, once it has that user's rights alone.
 */
export function scriptCommand({ argv, env, user }: Script): ScriptCommand {
  if (user === 'root') return { argv: [...argv], env: harmless(env), input: undefined };
  // Groups as well as the user, and no way back by setuid programs.
  const become = ['/usr/bin/setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--no-new-privs', '--'];
  const command = [...become, '/bin/sh', '-c', WITH_VARIABLES, 'sh', ...argv];
  return { argv: command, env: { PATH: SYSTEM_PATH }, input: environmentFile(env) };
}

function harmless(env: Readonly<Record<string, string>>): Record<string, string> {
  const others = Object.entries(env).filter(([name]) => !name.startsWith('LD_') && !OF_ITS_USER.has(name));
  return { ...Object.fromEntries(others), PATH: SYSTEM_PATH, HOME: '/root' };
}
