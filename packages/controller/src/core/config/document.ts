import type { ConfigFiles } from './files.ts';
import { createInterpolator } from './interpolate.ts';
import { type Entry, lex, type Section, type Sections } from './lexer.ts';
import { directoryOf, resolvePath } from './paths.ts';
import type { Place, Problems } from './problem.ts';
import { STANDS_FOR } from './schema.ts';

export interface DocumentContext {
  files: ConfigFiles;
  env: Readonly<Record<string, string | undefined>>;
  home: string;
  problems: Problems;
}

/**
 * Sections of a file and of what it `extends`, the extending file's values standing for those of its base. Entries keep
 * the file and line they come from. Undefined, and reported, when a file cannot be used.
 */
export function loadDocument(path: string, context: DocumentContext): Sections | undefined {
  return loadChain(path, { file: path, line: 0 }, [], context);
}

/** Sections of one file, or undefined and a problem at `asked`, where it was asked for. */
export function readSections(path: string, asked: Place, context: DocumentContext): Sections | undefined {
  const read = context.files.readFile(path);
  const self = { file: path, line: 0 };
  if (read.kind === 'missing') context.problems.error(asked, `${path} does not exist`);
  else if (read.kind === 'unusable') context.problems.error(self, read.why);
  else if (read.text.includes('\0'))
    context.problems.error({ ...self, line: lineOf(read.text, read.text.indexOf('\0')) }, 'contains a NUL character');
  else return lex(read.text, path, context.problems);
  return undefined;
}

function loadChain(path: string, asked: Place, chain: string[], context: DocumentContext): Sections | undefined {
  if (chain.includes(path)) {
    context.problems.error(asked, `a file that extends itself: ${[...chain, path].join(' -> ')}`);
    return undefined;
  }
  const own = readSections(path, asked, context);
  const entry = own?.get('general')?.entries.get('extends');
  if (own === undefined || entry === undefined) return own;
  const base = basePath(own, entry, context);
  const sections = base === undefined ? undefined : loadChain(base, entry, [...chain, path], context);
  return sections === undefined ? undefined : merge(sections, own);
}

/** Filled in from the environment and this file alone: the base is not read yet. */
function basePath(own: Sections, entry: Entry, { env, home, problems }: DocumentContext): string | undefined {
  const interpolator = createInterpolator({ sections: own, env, defaultOf: () => undefined });
  const filled = interpolator.fill('general', entry);
  const text = filled.ok ? filled.lines.map((it) => it.text).join('\n') : '';
  if (!filled.ok) problems.error({ file: entry.file, line: filled.line }, `extends: ${filled.message}`);
  else if (text === '' || text.includes('\n')) problems.error(entry, 'extends takes the path of one file');
  else return resolvePath(text, directoryOf(entry.file), home);
  return undefined;
}

function merge(base: Sections, own: Sections): Sections {
  const merged = new Map<string, Section>(base);
  for (const [name, section] of own) {
    const before = base.get(name);
    if (before === undefined) merged.set(name, section);
    else merged.set(name, { ...section, entries: mergeEntries(before.entries, section.entries) });
  }
  return merged;
}

/** The base's other ways to say what the extending file says go: lines of two files cannot tell which of them is the last. */
function mergeEntries(base: Section['entries'], own: Section['entries']): Section['entries'] {
  const merged = new Map(base);
  for (const key of own.keys()) for (const other of STANDS_FOR.get(key) ?? []) merged.delete(other);
  return new Map([...merged, ...own]);
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split(/\r\n|\n|\r/).length;
}
