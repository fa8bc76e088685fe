import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type LoadedSet, readServerSet } from '@silverlining/controller';
import { type ServerSet, SlError } from '@silverlining/protocol';
import { type Context, note } from './context.ts';
import { checkedName } from './names.ts';
import { problemLine } from './render/error.ts';

const DEFAULT_FILE = 'silver.ini';

type Whereabouts = Pick<Context, 'globals' | 'env' | 'cwd'>;

/** The server set file that is meant: `--file`, `$SILVER_FILE`, or the first `silver.ini` here or above. */
export function findSetFile({ globals, env, cwd }: Whereabouts): string {
  const named = globals.file ?? (env.SILVER_FILE === '' ? undefined : env.SILVER_FILE);
  if (named !== undefined) {
    const file = resolve(cwd, named);
    if (existsSync(file)) return file;
    throw new SlError('E_USAGE', `there is no file ${file}${globals.file === undefined ? ' (from $SILVER_FILE)' : ''}`);
  }
  for (let directory = cwd; ; directory = dirname(directory)) {
    const file = join(directory, DEFAULT_FILE);
    if (existsSync(file)) return file;
    if (directory === dirname(directory)) break;
  }
  throw new SlError(
    'E_USAGE',
    `there is no ${DEFAULT_FILE} in ${cwd} or above: name the file with --file, or $SILVER_FILE`,
  );
}

/** The file with everything that was found in it, right or wrong. */
export function readSet(context: Whereabouts): LoadedSet & { file: string } {
  const file = findSetFile(context);
  return { ...readServerSet(file, { env: context.env }), file };
}

/** The server set; E_CONFIG with all problems when there is one that is an error. Warnings go to standard error. */
export function loadSet(context: Context): ServerSet {
  const { set, problems, file } = readSet(context);
  if (set === undefined) throw configError(file, problems);
  for (const problem of problems) note(context, problemLine(problem, context.paintError));
  return set;
}

export function configError(file: string, problems: LoadedSet['problems']): SlError {
  const errors = problems.filter((it) => it.severity === 'error').length;
  return new SlError('E_CONFIG', `${file} has ${errors} problem${errors === 1 ? '' : 's'}`, { details: { problems } });
}

/**
 * The name of the set: as given, so that a set whose file is gone or broken can still be named, or the file's. What the file is warned of
 * is no concern of commands that take no more of it, nor is an app that is broken: it may be the reason for a rollback.
 */
export function setName(context: Whereabouts, given: string | undefined): string {
  const checked = checkedName('set', given);
  if (checked !== undefined) return checked;
  const { name, problems, file } = readSet(context);
  if (name === undefined) throw configError(file, problems);
  return name;
}
