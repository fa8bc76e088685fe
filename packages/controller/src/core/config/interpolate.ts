/**
 * Lazy interpolation: a value is filled in when it is asked for, so the order of sections does not matter.
 * `${NAME}` and `${NAME:-default}` come from the environment; `{{...}}` is an expression over `n`, `section.KEY` (the section
 * that the text stands in), `SECTION.KEY` and `environ.NAME`.
 */
import { ExpressionError, evaluate, type Scalar } from './expression.ts';
import type { Entry, Line, Section } from './lexer.ts';
import { suggest } from './suggest.ts';

export interface InterpolationSource {
  sections: ReadonlyMap<string, Section>;
  env: Readonly<Record<string, string | undefined>>;
  /** Value of a key that a section may have but was not given. */
  defaultOf(section: string, key: string): string | undefined;
}

/** Lines filled in, or what is wrong and in which line. */
export type Interpolated = { ok: true; lines: Line[] } | { ok: false; message: string; line: number };

export interface Interpolator {
  /** `n` is the number of the node that the value is for, where there is one. */
  fill(section: string, entry: Entry, n?: number): Interpolated;
}

/** Values that refer to each other twice over may not grow without end. */
const MAX_VALUE = 64 * 1024;
const MAX_DEPTH = 50;
const REFERENCE = /\$\{([^}]*)\}|\{\{((?:"(?:[^"\\]|\\.)*"|[^"}]|\}(?!\}))*)\}\}|\$\{|\{\{/gs;

/** An interpolator over the sections of a file; results are remembered, so each value is filled in once for each n. */
export function createInterpolator(source: InterpolationSource): Interpolator {
  return {
    fill(section, entry, n) {
      const run = new Run(source, n);
      try {
        return { ok: true, lines: run.lines(section, entry) };
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
        return { ok: false, message: error.message, line: run.failedLine };
      }
    },
  };
}

/** No sections, no environment: texts stay as they are written (app.ini is the same wherever it is deployed from). */
export const NO_INTERPOLATION: Interpolator = { fill: (_section, entry) => ({ ok: true, lines: entry.lines }) };

/** The value of one key, and of those that it refers to. */
class Run {
  failedLine = 0;
  readonly #source: InterpolationSource;
  readonly #n: number | undefined;
  /** `section.key` of the values being filled in, outermost first. */
  readonly #path: string[] = [];
  readonly #known = new Map<string, string>();

  constructor(source: InterpolationSource, n: number | undefined) {
    this.#source = source;
    this.#n = n;
  }

  lines(section: string, entry: Entry): Line[] {
    if (this.#path.length >= MAX_DEPTH)
      throw new PathError(
        `more than ${MAX_DEPTH} values refer to each other (${this.#path.slice(0, 3).join(' -> ')} -> ...)`,
      );
    this.#path.push(`${section}.${entry.key}`);
    const lines = entry.lines.map(({ text, line }) => {
      if (this.#path.length === 1) this.failedLine = line;
      return { text: this.#fill(text, section), line };
    });
    this.#path.pop();
    return lines;
  }

  #fill(text: string, section: string): string {
    const filled = text.replace(REFERENCE, (whole, variable?: string, expression?: string) => {
      if (variable !== undefined) return this.#variable(variable);
      if (expression === undefined) throw this.#error(`${whole} is not closed`);
      return String(this.#evaluate(expression, section));
    });
    if (filled.length > MAX_VALUE) throw this.#error('the value gets longer than 64 KiB');
    return filled;
  }

  #evaluate(expression: string, section: string): Scalar {
    try {
      return evaluate(expression, (name) => this.#lookUp(name, section));
    } catch (error) {
      // Errors of this very expression get the path; those from further down have theirs already.
      if (error instanceof ExpressionError && !(error instanceof PathError)) throw this.#error(error.message);
      throw error;
    }
  }

  #variable(text: string): string {
    const [, name, , fallback] = /^([A-Za-z_]\w*)(:-(.*))?$/.exec(text) ?? [];
    if (name === undefined) throw this.#error(`\${${text}} is not the name of an environment variable`);
    // It would end at the first brace: what is left would look like a value.
    if (fallback !== undefined && /\$\{|\{\{/.test(fallback))
      throw this.#error(`the default in \${${name}:-VALUE} is plain text: no \${ or {{ can stand in it`);
    const value = environmentValue(this.#source.env, name);
    if (fallback !== undefined) return value || fallback;
    if (value === undefined)
      throw this.#error(`${name} is not set in the environment; \${${name}:-VALUE} gives a default`);
    return value;
  }

  #lookUp(name: string, section: string): Scalar {
    if (name === 'n') {
      if (this.#n === undefined) throw this.#error('{{n}} is known in node_names only');
      return this.#n;
    }
    if (name.startsWith('environ.')) return this.#variable(name.slice('environ.'.length));
    const [target, key] = this.#split(name.replace(/^section\./, `${section}.`), name);
    const full = `${target.name}.${key}`;
    const known = this.#known.get(full);
    if (known !== undefined) return known;
    if (this.#path.includes(full)) throw this.#error('a value that needs itself', full);
    const value = this.#value(target, key, full);
    this.#known.set(full, value);
    return value;
  }

  #value(target: Section, key: string, full: string): string {
    const entry = target.entries.get(key);
    if (entry !== undefined)
      return this.lines(target.name, entry)
        .map((it) => it.text)
        .join('\n');
    const fallback = this.#source.defaultOf(target.name, key);
    if (fallback !== undefined) return this.#fill(fallback, target.name);
    const near = suggest(key, target.entries.keys());
    throw this.#error(`[${target.name}] has no ${key}${near === undefined ? '' : `; did you mean ${near}?`}`, full);
  }

  /** Names of sections may hold dots and so may keys: the longest section name that exists wins. */
  #split(full: string, written: string): [Section, string] {
    for (let dot = full.lastIndexOf('.'); dot > 0; dot = full.lastIndexOf('.', dot - 1)) {
      const target = this.#source.sections.get(full.slice(0, dot));
      if (target !== undefined) return [target, full.slice(dot + 1)];
    }
    throw this.#error(`nothing is called ${written}${this.#hint(full)}`, full);
  }

  #hint(name: string): string {
    if (/-\d/.test(name)) return '; a minus needs blanks around it';
    if (!name.includes('.')) return `; a value of the same section is {{section.${name}}}`;
    const near = suggest(name.slice(0, name.lastIndexOf('.')), this.#source.sections.keys());
    return near === undefined ? '' : `; did you mean ${near}.${name.slice(name.lastIndexOf('.') + 1)}?`;
  }

  /** With the path from the value that was asked for to where it went wrong, when it is longer than one step. */
  #error(message: string, last?: string): PathError {
    const path = last === undefined ? this.#path : [...this.#path, last];
    return new PathError(path.length > 1 ? `${message} (${path.join(' -> ')})` : message);
  }
}

class PathError extends ExpressionError {}

function environmentValue(env: InterpolationSource['env'], name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}
