/**
 * Text to sections and keys, each with its line. The `ini` package decodes each `key = value`; lines, comments, sections
 * and continuation lines are ours, because it knows no continuation lines and no line numbers, cuts values at `#` and
 * `;`, and splits section names on dots.
 */
import { parse } from 'ini';
import { type Place, type Problems, quote } from './problem.ts';

export interface Line {
  text: string;
  line: number;
}

/** A key with its value: the text behind `=` and the continuation lines, those without text left out. */
export interface Entry extends Place {
  key: string;
  lines: Line[];
}

export interface Section extends Place {
  name: string;
  entries: Map<string, Entry>;
}

export type Sections = Map<string, Section>;

const TAB_WIDTH = 8;

/** Sections of a file in the order in which they first appear. What cannot be read is reported and left out. */
export function lex(text: string, file: string, problems: Problems): Sections {
  const lexer = new Lexer(file, problems);
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const [index, line] of lines.entries()) lexer.take(line, index + 1);
  return lexer.sections;
}

class Lexer {
  readonly sections: Sections = new Map();
  readonly #file: string;
  readonly #problems: Problems;
  #section: Section | undefined;
  #entry: Entry | undefined;
  #indent = 0;

  constructor(file: string, problems: Problems) {
    this.#file = file;
    this.#problems = problems;
  }

  take(raw: string, line: number): void {
    const text = raw.trim();
    if (text === '' || text.startsWith('#') || text.startsWith(';')) return;
    const indent = indentOf(raw);
    if (this.#entry !== undefined && indent > this.#indent) {
      this.#add(this.#entry, { text: withoutQuotes(text), line });
      return;
    }
    this.#indent = indent;
    if (text.startsWith('[')) this.#open(text, line);
    else this.#addPair(text, line);
  }

  #open(text: string, line: number): void {
    this.#entry = undefined;
    const name = /^\[([^\]]*)\]\s*(?:[#;].*)?$/.exec(text)?.[1]?.trim();
    if (name === undefined) this.#error(line, `not a section: ${quote(text)}; a section is a line such as [general]`);
    const section = this.sections.get(name ?? '') ?? this.#newSection(name ?? '', line);
    // What follows a broken header is read and dropped, so that it does not land in the section before.
    if (name !== undefined) this.sections.set(name, section);
    this.#section = section;
  }

  #newSection(name: string, line: number): Section {
    return { name, file: this.#file, line, entries: new Map() };
  }

  #addPair(text: string, line: number): void {
    const pair = decodePair(text);
    const entry: Entry = { key: pair?.key ?? '', lines: [], file: this.#file, line };
    // A line that cannot be read still takes its continuation lines with it.
    this.#entry = entry;
    if (pair === undefined) this.#error(line, `expected key = value, found ${quote(text)}`);
    else if (this.#section === undefined) this.#error(line, `${pair.key} stands before the first [section]`);
    else this.#keep(entry, pair.value, this.#section);
  }

  #keep(entry: Entry, value: string, section: Section): void {
    this.#add(entry, { text: value, line: entry.line });
    const before = section.entries.get(entry.key);
    section.entries.set(entry.key, entry);
    if (before === undefined) return;
    const lines = `on lines ${before.line} and ${entry.line}`;
    this.#problems.warning(entry, `${entry.key} is given twice, ${lines}; the last one stands`);
  }

  #add(entry: Entry, line: Line): void {
    if (line.text !== '') entry.lines.push(line);
  }

  #error(line: number, message: string): void {
    this.#problems.error({ file: this.#file, line }, message);
  }
}

/** `ini` gets one line at a time. What it would act on inside a value is hidden from it by JSON quoting, which it undoes. */
function decodePair(text: string): { key: string; value: string } | undefined {
  const at = text.indexOf('=');
  if (at < 1) return undefined;
  const key = text
    .slice(0, at)
    .trim()
    .replace(/[\\;#]/g, '\\$&');
  const hidden = JSON.stringify(withoutQuotes(text.slice(at + 1).trim()))
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
  // `__proto__` never arrives here: `ini` drops it, and the line counts as unreadable.
  const [pair] = Object.entries(parse(`${key}=${hidden}`, { bracketedArray: false }));
  return pair === undefined ? undefined : { key: pair[0], value: String(pair[1]) };
}

/** A text in one pair of double quotes keeps blanks at its ends. Nothing else in it changes; command lines have more quotes. */
function withoutQuotes(text: string): string {
  return /^"([^"]*)"$/.exec(text)?.[1] ?? text;
}

function indentOf(line: string): number {
  let width = 0;
  for (const c of line) {
    if (c === '\t') width += TAB_WIDTH - (width % TAB_WIDTH);
    else if (c === ' ') width++;
    else break;
  }
  return width;
}
