/** Server set files as they are in memory, with one app `blog` beside them. */
import { KNOWN } from '../../packages/controller/src/core/config/known.ts';
import { type LoadedSet, loadServerSet } from '../../packages/controller/src/core/config/load.ts';
import { formatProblem } from '../../packages/controller/src/core/config/problem.ts';
import { memoryConfigFiles } from '../fakes/memory-config-files.ts';

export const APP = '[production]\napp_name = blog\n';
export const HOME = '/home/me';

/** Loads `/set/silver.ini`; `files` are the other files, `app.ini` short for that of the app blog. */
export function load(
  text: string,
  { appIni = APP, ...files }: Record<string, string> = {},
  env: Record<string, string> = {},
): LoadedSet {
  const all = { '/set/silver.ini': text, '/set/blog/app.ini': appIni, ...files };
  return loadServerSet('/set/silver.ini', {
    files: memoryConfigFiles(all),
    env: { HOME, ...env },
    home: HOME,
    known: KNOWN,
  });
}

export function problems(loaded: LoadedSet): string[] {
  return loaded.problems.map(formatProblem);
}

export const BLOG = '[app:blog]\ndir = blog\n';
export const SITE = `[appserver]\nlocations = http://a.com/ blog\n${BLOG}`;
