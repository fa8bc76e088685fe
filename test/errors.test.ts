/** The error catalogue and docs/errors.md say the same codes, and no page names one that does not exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ERROR_CATALOGUE } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const CODES = Object.keys(ERROR_CATALOGUE);

const entries = read('docs/errors.md')
  .split(/^### /m)
  .slice(1)
  .map((text) => ({ code: text.split('\n')[0] ?? '', text }));

function read(path: string): string {
  return readFileSync(resolve(ROOT, path), 'utf8');
}

function pages(): string[] {
  const docs = readdirSync(resolve(ROOT, 'docs')).map((name) => `docs/${name}`);
  const top = readdirSync(ROOT);
  return [...docs, ...top].filter((path) => path.endsWith('.md'));
}

describe('docs/errors.md', () => {
  it('has every code of the catalogue, and no other', () => {
    expect(entries.map((entry) => entry.code).sort()).toEqual([...CODES].sort());
  });

  it('has them in the order of their names', () => {
    const codes = entries.map((entry) => entry.code);
    expect(codes).toEqual([...codes].sort());
  });

  it.each(entries)('says of $code what it means, its cause, and what to do', ({ text }) => {
    expect(text).toMatch(/^E_\w+\n\n[A-Z].+\.\n[\s\S]*^- \*\*Cause:\*\* \S[\s\S]*^- \*\*What to do:\*\* \S/m);
  });
});

describe('pages', () => {
  it.each(pages())('%s names no code that does not exist', (path) => {
    const named = [...read(path).matchAll(/\bE_[A-Z]+(?:_[A-Z]+)*\b/g)].map((match) => match[0]);
    expect(named.filter((code) => !CODES.includes(code))).toEqual([]);
  });
});
