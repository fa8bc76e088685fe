/** Quoting for systemd: environment files and the command lines of units. */
import { SlError } from '@silverlining/protocol';

/**
 * The text of an `EnvironmentFile=`. Values stand in double quotes, in which systemd takes back a backslash before
 * `"`, `\`, `` ` `` and `$` and keeps line ends; nothing is expanded. A NUL cannot be in an environment at all.
 */
export function environmentFile(env: Readonly<Record<string, string>>): string {
  const names = Object.keys(env).sort();
  return names.map((name) => `${name}="${quoteValue(name, env[name] ?? '')}"\n`).join('');
}

function quoteValue(name: string, value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new SlError('E_APP_CONFIG', `${JSON.stringify(name)} cannot be the name of an environment variable`);
  }
  // systemd drops a whole file that holds another control character, so the app would start without its settings.
  const bad = /[^\P{Cc}\t\n]/u.exec(value)?.[0];
  if (bad !== undefined) {
    throw new SlError(
      'E_APP_CONFIG',
      `environment variable ${name} holds the control character ${JSON.stringify(bad)}`,
    );
  }
  return value.replace(/["\\`$]/g, '\\$&');
}

/** An `ExecStart=` of these arguments: quoted, with systemd's specifiers (`%`) and variables (`$`) taken literally. */
export function commandLine(argv: readonly string[]): string {
  return argv.map((argument) => quoteArgument(argument)).join(' ');
}

function quoteArgument(argument: string): string {
  const escaped = argument.replace(/%/g, '%%').replace(/\$/g, '$$$$');
  if (/^[A-Za-z0-9_@%$/.,:=+-]+$/.test(escaped)) return escaped;
  if (/[^\P{Cc}\t\n]/u.test(escaped)) {
    throw new SlError(
      'E_APP_CONFIG',
      `${JSON.stringify(argument)} cannot be an argument: it holds a control character`,
    );
  }
  const quoted = escaped.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n').replace(/\t/g, '\\t');
  return `"${quoted}"`;
}

/** The variables of a text that `environmentFile` made. */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [, name, quoted] of text.matchAll(/^([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\[\s\S])*)"$/gm)) {
    if (name !== undefined && quoted !== undefined) env[name] = quoted.replace(/\\([\s\S])/g, '$1');
  }
  return env;
}
