import { constants } from 'node:fs';
import { access, exec, logOf, realpath, stat } from '@silverlining/system';
import { scriptCommand } from '../../core/release/script-command.ts';
import type { ScriptRun, ScriptRunner } from '../../release-ports.ts';
import { inScope } from '../systemd.ts';

/** Who runs scripts that are not executable themselves. */
const INTERPRETERS: Readonly<Record<string, string>> = { sh: '/bin/sh', py: '/usr/bin/python3' };
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Programs of a release, found as an app's commands are; `node` runs its JavaScript. */
export function createScriptRunner(node: string): ScriptRunner {
  return { find: (app, argv) => find(app, argv, { ...INTERPRETERS, js: node, mjs: node, ts: node }), run };
}

type Interpreters = Readonly<Record<string, string>>;

async function find(
  app: string,
  [name, ...args]: readonly string[],
  interpreters: Interpreters,
): Promise<string[] | undefined> {
  if (name === undefined) return undefined;
  const program = (await findInRelease(app, name, interpreters)) ?? (await findOnSystem(name));
  return program === undefined ? undefined : [...program, ...args];
}

async function findInRelease(app: string, name: string, interpreters: Interpreters): Promise<string[] | undefined> {
  for (const candidate of [`${app}/bin/${name}`, `${app}/${name}`]) {
    if (!(await isFileInside(app, candidate))) continue;
    if (await isExecutable(candidate)) return [candidate];
    const interpreter = interpreters[candidate.split('.').pop() ?? ''];
    if (interpreter !== undefined) return [interpreter, candidate];
  }
  return undefined;
}

async function findOnSystem(name: string): Promise<string[] | undefined> {
  const candidates = name.includes('/') ? [name] : SYSTEM_PATH.map((folder) => `${folder}/${name}`);
  for (const candidate of candidates) {
    if (candidate.startsWith('/') && (await isExecutable(candidate))) return [candidate];
  }
  return undefined;
}

async function run(script: ScriptRun, signal: AbortSignal): Promise<string[]> {
  const { cwd, timeout, code } = script;
  const { argv, env, input } = scriptCommand(script);
  const name = script.argv.join(' ');
  return logOf(await exec(await inScope(argv), { name, cwd, env, input, deadline: timeout, signal, code }));
}

async function isFileInside(folder: string, path: string): Promise<boolean> {
  try {
    const real = await realpath(path);
    return real.startsWith(`${await realpath(folder)}/`) && (await stat(real)).isFile();
  } catch {
    return false;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
