/** `app.ini`: what an app says of itself, the same wherever it is deployed; so nothing in it is interpolated. */
import { appName, packageName, type UpdateFetch } from '@silverlining/protocol';
import { NO_INTERPOLATION } from './interpolate.ts';
import type { Section, Sections } from './lexer.ts';
import { parseTarget, type Target } from './location.ts';
import { type Place, type Problems, quote } from './problem.ts';
import { type NamedPath, readReleasePath } from './release-path.ts';
import { type AppRun, readRun } from './runner.ts';
import { APP_INI_KEYS } from './schema.ts';
import { SectionValues } from './values.ts';
import { splitWords } from './words.ts';

export interface AppIni extends AppRun {
  name: (Place & { text: string }) | undefined;
  packages: string[];
  packageInstallScript: NamedPath | undefined;
  afterInstallScript: NamedPath | undefined;
  updateFetch: UpdateFetch[];
  /** Service name to its value, and where it is asked for. */
  services: Map<string, Place & { value: string }>;
  defaultLocation: Target | undefined;
  /** Where it says that the app needs a configuration. */
  configRequired: Place | undefined;
  configDefault: NamedPath | undefined;
  configTemplate: NamedPath | undefined;
  /** argv of what checks a configuration. */
  configChecker: string[] | undefined;
}

export interface AppIniInput {
  /** Absolute path of the file. */
  file: string;
  sections: Sections;
  platforms: readonly string[];
  problems: Problems;
}

export const APP_FILE = 'app.ini';

/** Reads the sections of an app.ini; what is wrong is reported, and the rest is read on. */
export function readAppIni({ file, sections, platforms, problems }: AppIniInput): AppIni {
  for (const section of sections.values())
    if (section.name !== 'production') problems.error(section, 'unknown section; app.ini has one, [production]');
  const section: Section = sections.get('production') ?? { name: 'production', file, line: 0, entries: new Map() };
  const values = new SectionValues(section, APP_INI_KEYS, { interpolator: NO_INTERPOLATION, problems, home: '' });
  values.check('[production]');
  return {
    name: readName(values, file, problems),
    ...readRun({ values, platforms, problems }),
    packages: readPackages(values, problems),
    packageInstallScript: readReleasePath(values, 'package_install_script', 'file', problems),
    afterInstallScript: readReleasePath(values, 'after_install_script', 'file', problems),
    updateFetch: readUpdateFetch(values, problems),
    services: readServices(values),
    defaultLocation: readDefaultLocation(values, problems),
    configRequired: values.flag('config.required') ? values.place('config.required') : undefined,
    configDefault: readReleasePath(values, 'config.default', 'directory', problems),
    configTemplate: readReleasePath(values, 'config.template', 'directory', problems),
    configChecker: readWords(values, 'config.checker', problems),
  };
}

function readName(values: SectionValues, file: string, problems: Problems): AppIni['name'] {
  const text = values.line('app_name');
  if (text === undefined || text === '') {
    problems.error({ file, line: text === undefined ? 0 : values.place('app_name').line }, 'missing app_name');
    return undefined;
  }
  const parsed = appName.safeParse(text);
  if (parsed.success) return { text, ...values.place('app_name') };
  problems.error(values.place('app_name'), `invalid app name ${quote(text)}: ${parsed.error.issues[0]?.message ?? ''}`);
  return undefined;
}

function readPackages(values: SectionValues, problems: Problems): string[] {
  const { file } = values.place('packages');
  return values.lines('packages').flatMap(({ text, line }) =>
    text.split(/[\s,]+/).filter((name) => {
      if (name === '') return false;
      const wrong = packageName.safeParse(name).error?.issues[0]?.message;
      if (wrong === undefined) return true;
      problems.error({ file, line }, `invalid package name ${quote(name)}: ${wrong}`);
      return false;
    }),
  );
}

function readUpdateFetch(values: SectionValues, problems: Problems): UpdateFetch[] {
  const { file } = values.place('update_fetch');
  return values.lines('update_fetch').flatMap(({ text, line }): UpdateFetch[] => {
    const script = /^script:(.*)$/s.exec(text.trim())?.[1];
    if (script !== undefined) {
      const argv = splitWords(script);
      if (argv !== undefined && argv.length > 0) return [{ kind: 'script', argv }];
      problems.error({ file, line }, 'update_fetch script: takes a command, its quotes closed');
      return [];
    }
    // Not //host/path, which is a URL without its scheme; nothing that could end the request line.
    if (/^\/(?![/\\])[\x21-\x7e]*$/.test(text.trim())) return [{ kind: 'path', path: text.trim() }];
    problems.error(
      { file, line },
      `update_fetch must be a path on this app, or script:COMMAND, not ${quote(text.trim())}`,
    );
    return [];
  });
}

function readServices(values: SectionValues): AppIni['services'] {
  return new Map(
    values.keysUnder('service').map((name) => {
      const key = `service.${name}`;
      return [name, { value: values.line(key) ?? '', ...values.place(key) }];
    }),
  );
}

function readDefaultLocation(values: SectionValues, problems: Problems): Target | undefined {
  const text = values.line('default_location');
  if (text === undefined) return undefined;
  const parsed = parseTarget(text);
  if ('target' in parsed) return parsed.target;
  problems.error(values.place('default_location'), parsed.problem);
  return undefined;
}

function readWords(values: SectionValues, key: string, problems: Problems): string[] | undefined {
  const text = values.line(key);
  if (text === undefined) return undefined;
  const words = splitWords(text);
  if (words !== undefined && words.length > 0) return words;
  problems.error(values.place(key), `${key} takes a command, its quotes closed`);
  return undefined;
}
