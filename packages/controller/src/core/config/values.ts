/** A section's values as the schema types them; whatever is wrong with one is reported when it is read. */
import type { Interpolator } from './interpolate.ts';
import type { Entry, Line, Section } from './lexer.ts';
import { directoryOf, resolvePath } from './paths.ts';
import { type Place, type Problems, quote } from './problem.ts';
import { type KeySpec, type KeyTable, specOf, unknownKey } from './schema.ts';

/** An option as it stands after interpolation and defaults, and where it comes from. */
export interface ResolvedOption extends Place {
  section: string;
  key: string;
  /** Secrets read `(secret)`. */
  value: string;
  origin: 'file' | 'default';
}

export interface ValuesContext {
  interpolator: Interpolator;
  problems: Problems;
  home: string;
}

/** The words for true and false. */
export const FLAGS = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['no', false],
  ['off', false],
]);

export class SectionValues {
  readonly section: Section;
  readonly table: KeyTable;
  readonly #context: ValuesContext;

  constructor(section: Section, table: KeyTable, context: ValuesContext) {
    this.section = section;
    this.table = table;
    this.#context = context;
  }

  /** The same section read by other keys. */
  withTable(table: KeyTable): SectionValues {
    return new SectionValues(this.section, table, this.#context);
  }

  has(key: string): boolean {
    return this.section.entries.has(key);
  }

  /** Where a key stands, or the section when it was not given. */
  place(key: string): Place {
    const { file, line } = this.section.entries.get(key) ?? this.section;
    return { file, line };
  }

  /** Keys that begin with `prefix.`, without it. */
  keysUnder(prefix: string): string[] {
    const start = `${prefix}.`;
    return [...this.section.entries.keys()].filter((it) => it.startsWith(start)).map((it) => it.slice(start.length));
  }

  /** A value of one line, or its default. Undefined when there is neither, or when it is wrong. */
  line(key: string): string | undefined {
    const entry = this.section.entries.get(key);
    if (entry === undefined) return specOf(this.table, key)?.default;
    const lines = this.#fill(entry);
    if (lines === undefined) return undefined;
    const second = lines[1];
    if (second !== undefined)
      return this.#error(entry, `${key} takes one line; line ${second.line} is indented, so it continues ${key}`);
    const spec = specOf(this.table, key);
    const whole = lines[0]?.text ?? '';
    const text = spec?.keepsBlanks ? whole : whole.trim();
    const wrong = spec?.problem?.(text);
    return wrong === undefined ? text : this.#error(entry, `${key} ${wrong}`);
  }

  /** Lines of a value, those that are empty left out. `n` is the number of the node. */
  lines(key: string, n?: number): Line[] {
    const entry = this.section.entries.get(key);
    const filled = entry === undefined ? undefined : this.#fill(entry, n);
    if (entry === undefined || filled === undefined) return [];
    const isEmpty = !filled.some((it) => /[^\s,]/.test(it.text));
    if (isEmpty && specOf(this.table, key)?.filled) this.#error(entry, `${key} is empty`);
    return filled.filter((it) => it.text.trim() !== '');
  }

  integer(key: string): number | undefined {
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = specOf(this.table, key) ?? {};
    const text = this.line(key);
    if (text === undefined) return undefined;
    if (/^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
    return this.#error(this.place(key), `${key} must be a whole number from ${min} to ${max}, not ${quote(text)}`);
  }

  flag(key: string): boolean | undefined {
    const text = this.line(key);
    if (text === undefined) return undefined;
    const flag = FLAGS.get(text.toLowerCase());
    return flag ?? this.#error(this.place(key), `${key} must be true or false, not ${quote(text)}`);
  }

  /** A path, absolute. */
  path(key: string): string | undefined {
    const text = this.line(key);
    if (text === undefined) return undefined;
    if (text === '') return this.#error(this.place(key), `${key} is empty`);
    return resolvePath(text, directoryOf(this.place(key).file), this.#context.home);
  }

  /**
   * Reports unknown keys and wrong values of all keys, read or not. `inherited` are keys that mean nothing here and may come
   * from a file that this one extends.
   */
  check(where = `[${this.section.name}]`, inherited: ReadonlySet<string> = new Set()): void {
    for (const entry of this.section.entries.values()) {
      const spec = specOf(this.table, entry.key);
      if (spec === undefined && inherited.has(entry.key) && entry.file !== this.section.file) continue;
      if (spec === undefined) this.#error(entry, unknownKey(entry.key, where, this.table));
      else if (spec.later) this.#error(entry, `${entry.key} is not supported yet`);
      else this.#read(entry.key, spec);
    }
  }

  /** Every option of the section, given or default. Values that differ from node to node are shown as written. */
  resolved(): ResolvedOption[] {
    const given = [...this.section.entries.values()].flatMap((entry) => this.#describe(entry) ?? []);
    const defaults = Object.entries(this.table).flatMap(([key, spec]): ResolvedOption[] => {
      if (spec.default === undefined || this.has(key)) return [];
      const { file, line } = this.section;
      return [{ section: this.section.name, key, value: spec.default, file, line, origin: 'default' }];
    });
    return [...given, ...defaults];
  }

  /** Values that must not be shown anywhere, whichever other value or message they got into. */
  secrets(): string[] {
    const keys = [...this.section.entries.keys()].filter((key) => isSecret(key, specOf(this.table, key)));
    return keys.flatMap((key) => {
      const entry = this.section.entries.get(key);
      const filled = entry === undefined ? undefined : this.#context.interpolator.fill(this.section.name, entry);
      return filled?.ok ? filled.lines.map((it) => it.text.trim()) : [];
    });
  }

  #read(key: string, spec: KeySpec): void {
    if (spec.type === 'lines') this.lines(key, spec.numbered ? 1 : undefined);
    else if (spec.type === 'integer') this.integer(key);
    else if (spec.type === 'boolean') this.flag(key);
    else if (spec.type === 'path') this.path(key);
    else this.line(key);
  }

  #describe(entry: Entry): ResolvedOption | undefined {
    const spec = specOf(this.table, entry.key);
    if (spec === undefined) return undefined;
    const filled = spec.numbered ? undefined : this.#context.interpolator.fill(this.section.name, entry);
    const lines = filled?.ok ? filled.lines : entry.lines;
    const value = isSecret(entry.key, spec) ? REDACTED : lines.map((it) => it.text).join('\n');
    return { section: this.section.name, key: entry.key, value, file: entry.file, line: entry.line, origin: 'file' };
  }

  #fill(entry: Entry, n?: number): Line[] | undefined {
    const filled = this.#context.interpolator.fill(this.section.name, entry, n);
    if (!filled.ok) return this.#error({ file: entry.file, line: filled.line }, `${entry.key}: ${filled.message}`);
    const type = specOf(this.table, entry.key)?.type;
    const bad = type === 'lines' ? undefined : filled.lines.find((it) => hasControl(it.text));
    if (bad === undefined) return filled.lines;
    return this.#error(
      { file: entry.file, line: bad.line },
      `${entry.key} has a line break or control character in it`,
    );
  }

  #error(place: Place, message: string): undefined {
    this.#context.problems.error(place, message);
    return undefined;
  }
}

export const REDACTED = '(secret)';

/** Environment of apps often carries keys and passwords, which their names give away: `API_TOKEN`, `MYSQL_PWD`, `DB_PASS`. */
const SECRET_NAME = /^env\..*(?:secret|passw|passphrase|token|key|credential|(?<![a-z])(?:pw|pwd|pass)(?![a-z]))/i;

function isSecret(key: string, spec: KeySpec | undefined): boolean {
  return spec?.secret === true || SECRET_NAME.test(key);
}

/** Line breaks and the like. Tab is let in: it is what people indent and align with. */
function hasControl(text: string): boolean {
  return [...text].some((c) => (c < ' ' && c !== '\t') || c === '\u007f');
}
