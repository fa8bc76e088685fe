/** `[app:NAME]` sections with the app.ini of each. */
import type { App } from '@silverlining/protocol';
import { APP_FILE, type AppIni, readAppIni } from './app-ini.ts';
import { type DocumentContext, readSections } from './document.ts';
import type { Target } from './location.ts';
import { type Problems, quote } from './problem.ts';
import { type Known, listed } from './schema.ts';
import type { SectionValues } from './values.ts';

export interface AppsInput extends DocumentContext {
  /** App name to its section, in file order. */
  apps: ReadonlyMap<string, SectionValues>;
  /** Services that the set has a section for. */
  services: ReadonlySet<string>;
  known: Known;
  /** The server set file, for messages. */
  file: string;
}

/** Variables that the agent sets, whatever an app says (agent: `instanceEnv`). */
const NODES_OWN: ReadonlySet<string> = new Set([
  ...['PORT', 'HOST', 'HOME', 'TEMP', 'TMPDIR'],
  ...['SILVER_LOGS', 'SILVER_APP_CONFIG', 'SILVER_APP_NAME', 'SILVER_INSTANCE_NAME', 'SILVER_RUNNER'],
]);

export interface ResolvedApp {
  app: App;
  values: SectionValues;
  /** `default_location` of its app.ini. */
  defaultLocation: Target | undefined;
}

/** The apps of a set. One whose directory or app.ini cannot be read is reported and left out. */
export function resolveApps(input: AppsInput): ResolvedApp[] {
  return [...input.apps].flatMap(([name, values]) => resolveApp(name, values, input) ?? []);
}

function resolveApp(name: string, values: SectionValues, input: AppsInput): ResolvedApp | undefined {
  const dir = readDirectory(values, 'dir', input);
  if (!values.has('dir')) input.problems.error(values.section, `app ${name} has no dir: the directory of its app.ini`);
  const config = readDirectory(values, 'config', input);
  const own = readOwnKeys(values, input.problems);
  const ini = dir === undefined ? undefined : readIni(name, dir, values, input);
  if (dir === undefined || ini === undefined) return undefined;
  if (ini.configRequired !== undefined && !values.has('config') && ini.configDefault === undefined)
    input.problems.error(
      values.section,
      `app ${name} needs a configuration (${at(ini.configRequired)}): add config = DIRECTORY`,
    );
  const fallback = ini.configDefault === undefined ? undefined : `${dir}/${ini.configDefault.path}`;
  const { platform, runner, command, packages, updateFetch, configChecker } = ini;
  const app: App = {
    name,
    dir,
    ...own,
    config: config ?? fallback,
    platform,
    runner,
    command,
    packages,
    updateFetch,
    configChecker,
    packageInstallScript: ini.packageInstallScript?.path,
    afterInstallScript: ini.afterInstallScript?.path,
    services: Object.fromEntries([...ini.services].map(([service, { value }]) => [service, value])),
  };
  return { app, values, defaultLocation: ini.defaultLocation };
}

function readOwnKeys(
  values: SectionValues,
  problems: Problems,
): Pick<App, 'keep' | 'health' | 'healthTimeout' | 'processes' | 'env'> {
  const health = values.line('health') ?? '/';
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(health))
    problems.error(values.place('health'), `health must be a path on this app, such as /healthy, not ${quote(health)}`);
  const env = values.keysUnder('env').flatMap((name): [string, string][] => {
    const key = `env.${name}`;
    if (NODES_OWN.has(name)) problems.warning(values.place(key), `${key} has no effect: the node decides on ${name}`);
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return [[name, values.line(key) ?? '']];
    problems.error(values.place(key), `${quote(name)} cannot name an environment variable: letters, digits and _`);
    return [];
  });
  return {
    keep: values.integer('keep') ?? 5,
    health,
    healthTimeout: values.integer('health_timeout') ?? 60,
    processes: values.integer('processes') ?? 0,
    env: Object.fromEntries(env),
  };
}

function readDirectory(values: SectionValues, key: string, { files, problems }: AppsInput): string | undefined {
  const path = values.path(key);
  if (path === undefined) return undefined;
  const kind = files.kindOf(path);
  if (kind === 'directory') return path;
  problems.error(values.place(key), `${key}: ${path} ${kind === undefined ? 'does not exist' : 'is not a directory'}`);
  return undefined;
}

function readIni(name: string, dir: string, values: SectionValues, input: AppsInput): AppIni | undefined {
  const { known, problems } = input;
  const file = `${dir}/${APP_FILE}`;
  const sections = readSections(file, values.place('dir'), input);
  if (sections === undefined) return undefined;
  const ini = readAppIni({ file, sections, platforms: known.platforms, problems });
  if (ini.name !== undefined && ini.name.text !== name)
    problems.warning(
      ini.name,
      `app_name ${ini.name.text} is not the name of [app:${name}] (${at(values.section)}), which is the one used`,
    );
  checkServices(ini, input);
  checkFiles(dir, ini, input);
  return ini;
}

function checkServices({ services: wanted }: AppIni, { services, known, problems, file }: AppsInput): void {
  for (const [name, place] of wanted) {
    if (!Object.hasOwn(known.services, name))
      problems.error(place, `service ${name} is not supported yet; known: ${listed(Object.keys(known.services))}`);
    else if (!services.has(name))
      problems.error(place, `${file} has no [service:${name}] for service.${name}; add the section there`);
  }
}

function checkFiles(dir: string, ini: AppIni, { files, problems }: AppsInput): void {
  const named = [
    ini.runnerFile,
    ini.packageInstallScript,
    ini.afterInstallScript,
    ini.configDefault,
    ini.configTemplate,
  ];
  for (const it of named) {
    if (it === undefined || files.kindOf(`${dir}/${it.path}`) === it.kind) continue;
    problems.error(it, `${dir} has no ${it.kind} ${it.path}`);
  }
}

function at({ file, line }: { file: string; line: number }): string {
  return `${file}:${line}`;
}
