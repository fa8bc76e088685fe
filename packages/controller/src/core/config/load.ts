import type { ServerSet } from '@silverlining/protocol';
import { APP_FILE } from './app-ini.ts';
import { loadDocument } from './document.ts';
import type { ConfigFiles } from './files.ts';
import { generalDefaults } from './general.ts';
import { createInterpolator } from './interpolate.ts';
import type { Section, Sections } from './lexer.ts';
import { baseName } from './paths.ts';
import { type Problem, Problems } from './problem.ts';
import { createRedactor } from './redact.ts';
import { parseSet, resolveSet } from './resolve.ts';
import { type KeyTable, type Known, sectionTable, specOf } from './schema.ts';
import { REDACTED, type ResolvedOption, SectionValues, type ValuesContext } from './values.ts';

const GENERAL = 'general';

export interface LoadOptions {
  files: ConfigFiles;
  env: Readonly<Record<string, string | undefined>>;
  /** Absolute home directory: `~/`, and where `.silverlining.conf` is. */
  home: string;
  known: Known;
}

export interface LoadedSet {
  /** Only when no problem is an error. */
  set?: ServerSet;
  /** The set's, also when there are errors, as long as all of them are in files of apps. */
  name?: string;
  /** All that is wrong, in order; those of the set's own file first. Secrets are replaced. */
  problems: Problem[];
  /** Every option with its origin, for `sl check --resolved`. Secrets are replaced. */
  resolved: ResolvedOption[];
}

/** Reads a server set file, what it extends, the provider's section and the apps' app.ini. `file` is an absolute path. */
export function loadServerSet(file: string, options: LoadOptions): LoadedSet {
  const problems = new Problems();
  const context = { ...options, file, problems };
  const sections = loadDocument(file, context);
  if (sections === undefined) return { problems: problems.sorted(file), resolved: [] };
  const values = openSections(
    sections,
    { ...context, interpolator: interpolatorOf(sections, file, options) },
    options.known,
  );
  const { set, sections: read } = resolveSet({ ...context, values });
  const hide = createRedactor([...read.flatMap((it) => it.secrets()), set.provider.options.secret ?? ''], REDACTED);
  const errors = () => problems.sorted(file).filter((it) => it.severity === 'error');
  const parsed = errors().length > 0 ? undefined : parseSet(set, context);
  const isNamed = errors().every((it) => it.file !== file && baseName(it.file) === APP_FILE);
  return {
    ...(parsed === undefined ? {} : { set: parsed }),
    ...(isNamed ? { name: set.name } : {}),
    problems: problems.sorted(file).map((it) => ({ ...it, message: hide(it.message) })),
    resolved: [...unsaid(set, values.get(GENERAL), file), ...read.flatMap((it) => it.resolved())].map((it) => ({
      ...it,
      value: hide(it.value),
    })),
  };
}

/** The set has a name and a domain in a file without `[general]`, too. */
function interpolatorOf(sections: Sections, file: string, { env, known }: LoadOptions) {
  const own = generalDefaults(file);
  const defaultOf = (section: string, key: string) => {
    if (section === GENERAL && own.has(key)) return own.get(key);
    const found = sectionTable(section, known);
    return 'table' in found ? specOf(found.table, key)?.default : undefined;
  };
  const general = sections.get(GENERAL) ?? { name: GENERAL, file, line: 0, entries: new Map() };
  return createInterpolator({ sections: new Map(sections).set(GENERAL, general), env, defaultOf });
}

/** How the set and its domain are called where the file does not say. */
function unsaid({ name, baseDomain }: ServerSet, general: SectionValues | undefined, file: string): ResolvedOption[] {
  const said = { section: GENERAL, file, line: general?.section.line ?? 0, origin: 'default' as const };
  return [
    { ...said, key: 'name', value: name },
    { ...said, key: 'base_domain', value: baseDomain },
  ].filter(({ key }) => general?.has(key) !== true);
}

/** Sections with the keys that they may have. `[provider]` is checked when its driver is known. */
function openSections(sections: Sections, context: ValuesContext, known: Known): Map<string, SectionValues> {
  const open = (section: Section, table: KeyTable) => {
    const values = new SectionValues(section, table, context);
    if (section.name !== 'provider') values.check();
    return values;
  };
  const opened = new Map<string, SectionValues>();
  for (const section of sections.values()) {
    const found = sectionTable(section.name, known);
    if ('problem' in found) context.problems.error(section, found.problem);
    else opened.set(section.name, open(section, found.table));
  }
  return opened;
}
