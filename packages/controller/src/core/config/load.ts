import type { ServerSet } from '@silverlining/protocol';
import { loadDocument } from './document.ts';
import type { ConfigFiles } from './files.ts';
import { createInterpolator } from './interpolate.ts';
import type { Section, Sections } from './lexer.ts';
import { type Problem, Problems } from './problem.ts';
import { createRedactor } from './redact.ts';
import { parseSet, resolveSet } from './resolve.ts';
import { type KeyTable, type Known, sectionTable, specOf } from './schema.ts';
import { REDACTED, type ResolvedOption, SectionValues, type ValuesContext } from './values.ts';

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
  const values = openSections(sections, { ...context, interpolator: interpolatorOf(sections, options) }, options.known);
  const { set, sections: read } = resolveSet({ ...context, values });
  const hide = createRedactor([...read.flatMap((it) => it.secrets()), set.provider.options.secret ?? ''], REDACTED);
  const hasErrors = () => problems.sorted(file).some((it) => it.severity === 'error');
  const parsed = hasErrors() ? undefined : parseSet(set, context);
  return {
    ...(parsed === undefined ? {} : { set: parsed }),
    problems: problems.sorted(file).map((it) => ({ ...it, message: hide(it.message) })),
    resolved: read.flatMap((it) => it.resolved()).map((it) => ({ ...it, value: hide(it.value) })),
  };
}

function interpolatorOf(sections: Sections, { env, known }: LoadOptions) {
  const defaultOf = (section: string, key: string) => {
    const found = sectionTable(section, known);
    return 'table' in found ? specOf(found.table, key)?.default : undefined;
  };
  return createInterpolator({ sections, env, defaultOf });
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
