/** How an app is run: `runner`, `command` and `platform` of app.ini. */
import { type Platform, platform as platformSchema } from '@silverlining/protocol';
import { staysInside } from './paths.ts';
import { type Place, type Problems, quote } from './problem.ts';
import { checkReleasePath, type NamedPath } from './release-path.ts';
import { listed } from './schema.ts';
import { suggest } from './suggest.ts';
import type { SectionValues } from './values.ts';
import { splitWords } from './words.ts';

export interface AppRun {
  platform: Platform;
  /** `main.py`, `main.py#object`, `server.js`. */
  runner: string | undefined;
  /** The file of the runner, or of the command where that is one of the release. */
  runnerFile: NamedPath | undefined;
  command: string[] | undefined;
}

export interface RunInput {
  values: SectionValues;
  /** Platforms that this version can run. */
  platforms: readonly string[];
  problems: Problems;
}

/** What a platform is told by; `static` by neither. */
const TOLD_BY: Record<Platform, 'py' | 'js' | 'command' | 'nothing'> = {
  python: 'py',
  asgi: 'py',
  node: 'js',
  command: 'command',
  static: 'nothing',
  php: 'nothing',
};
const NEEDS = {
  py: 'a runner that ends in .py',
  js: 'a runner that ends in .js, .mjs, .cjs, .ts or .mts',
  command: 'a command',
  nothing: 'neither runner nor command',
};

/** Reads how the app runs; without `platform` the runner's ending tells it. */
export function readRun(input: RunInput): AppRun {
  const { values, problems } = input;
  const run = readRunner(values, problems);
  const command = readCommand(values, problems);
  if (values.has('runner') && values.has('command')) {
    const [a, b] = [values.place('runner').line, values.place('command').line];
    problems.error(
      values.place('command'),
      `runner (line ${a}) and command (line ${b}) are both given; an app has one`,
    );
  }
  const told = toldBy(values, run?.file.path);
  const platform = readPlatform(input, told) ?? inferred(told);
  return { platform, runner: run?.runner, runnerFile: run?.file ?? programFile(values, command, problems), command };
}

function readRunner(values: SectionValues, problems: Problems): { runner: string; file: NamedPath } | undefined {
  const text = values.line('runner');
  if (text === undefined) return undefined;
  const place = values.place('runner');
  const [, file = '', object] = /^([^#]*)(?:#(.*))?$/.exec(text) ?? [];
  const path = checkReleasePath(file, place, problems);
  if (path === undefined) return undefined;
  const wrong = runnerProblem(path, object);
  if (wrong !== undefined) return report(problems, place, wrong);
  return { runner: object === undefined ? path : `${path}#${object}`, file: { path, kind: 'file', ...place } };
}

function runnerProblem(path: string, object: string | undefined): string | undefined {
  if (/\.ini$/.test(path))
    return 'Paste runners (.ini) are not supported yet; name a .py file that has the WSGI application';
  if (ending(path) === undefined)
    return `runner must end in .py, .js, .mjs, .cjs, .ts or .mts, not ${quote(path)}; for anything else use command`;
  if (object === undefined) return undefined;
  if (ending(path) !== 'py') return 'only a .py runner takes an #object';
  return /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/.test(object) ? undefined : `#${object} is not the name of a Python object`;
}

function readCommand(values: SectionValues, problems: Problems): string[] | undefined {
  const text = values.line('command');
  if (text === undefined) return undefined;
  const words = splitWords(text);
  if (words === undefined) return report(problems, values.place('command'), 'a quote in command is not closed');
  if (words.length === 0) return report(problems, values.place('command'), 'command is empty');
  return words.map((word) => word.replaceAll(`\${PORT}`, '$PORT'));
}

/** Bare names and absolute ones are looked for on the server; and a script that runs there as root may make what is in no release. */
function programFile(
  values: SectionValues,
  command: readonly string[] | undefined,
  problems: Problems,
): NamedPath | undefined {
  const [program = ''] = command ?? [];
  if (!program.includes('/') || program.startsWith('/') || values.has('package_install_script')) return undefined;
  const place = values.place('command');
  if (!staysInside(program)) return report(problems, place, `${quote(program)} is outside the release`);
  return { path: program.replace(/^(?:\.\/+)+/, ''), kind: 'file', ...place };
}

function toldBy(values: SectionValues, file: string | undefined): keyof typeof NEEDS | 'unreadable' {
  if (file !== undefined) return ending(file) ?? 'unreadable';
  if (values.has('runner')) return 'unreadable';
  return values.has('command') ? 'command' : 'nothing';
}

function inferred(told: ReturnType<typeof toldBy>): Platform {
  if (told === 'py') return 'python';
  if (told === 'js') return 'node';
  return told === 'command' ? 'command' : 'static';
}

function readPlatform(
  { values, platforms, problems }: RunInput,
  told: ReturnType<typeof toldBy>,
): Platform | undefined {
  const text = values.line('platform') ?? (values.has('php_root') ? 'php' : undefined);
  if (text === undefined) return undefined;
  const place = values.place(values.has('platform') ? 'platform' : 'php_root');
  const { data } = platformSchema.safeParse(text);
  if (data === undefined) {
    const near = suggest(text, platforms);
    return report(
      problems,
      place,
      `unknown platform ${quote(text)}${near === undefined ? `; there are: ${listed(platforms)}` : `; did you mean ${near}?`}`,
    );
  }
  if (!platforms.includes(data))
    problems.error(place, `platform ${data} is not supported yet; there are: ${listed(platforms)}`);
  else if (told !== 'unreadable' && TOLD_BY[data] !== told)
    problems.error(place, `platform ${data} takes ${NEEDS[TOLD_BY[data]]}`);
  return data;
}

function ending(path: string): 'py' | 'js' | undefined {
  if (path.endsWith('.py')) return 'py';
  return /\.(?:js|mjs|cjs|ts|mts)$/.test(path) ? 'js' : undefined;
}

function report(problems: Problems, place: Place, message: string): undefined {
  problems.error(place, message);
  return undefined;
}
