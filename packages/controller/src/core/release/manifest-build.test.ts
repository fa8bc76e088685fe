import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { badName, buildManifest } from './manifest-build.ts';
import { parseIgnore } from './manifest-ignore.ts';

const file = (path: string) => ({ path, mode: 0o644 as const, size: 1, sha256: '0'.repeat(64) });
const refused = (text: string) =>
  expect.objectContaining({ code: 'E_APP_CONFIG', message: expect.stringContaining(text) });

describe('buildManifest', () => {
  it('sorts by code units, whatever order the folder had', () => {
    const manifest = buildManifest('blog', ['app/b', 'app/\u00e9', 'app/C/x', 'app/a'].map(file), []);
    expect(manifest.files.map(({ path }) => path)).toEqual(['app/C/x', 'app/a', 'app/b', 'app/\u00e9']);
  });

  it.each([
    ['names that would be one file elsewhere', ['app/A', 'app/a'], [], 'differ in case or accents'],
    ['a link out of the folder', [], [{ path: 'app/etc', target: '/etc' }], 'app/etc -> /etc points out'],
  ])('refuses %s', (_what, paths, links, text) => {
    expect(() => buildManifest('blog', paths.map(file), links)).toThrow(refused(text));
  });
});

describe('badName', () => {
  it.each(['a\\b', 'a\nb', 'a\u0000b', 'a\ufffdb'])('refuses %j', (name) => expect(badName(name)).toBeDefined());
  it.each(['a b', '-rf', '\u00fc', '...'])('takes %j', (name) => expect(badName(name)).toBeUndefined());
});

describe('.silverignore', () => {
  const ignore = parseIgnore(
    '# comment\n*.log\n/build\ndocs/*.md\ncache/\n**/tmp/x?\na+b\n*.py[cod]\n.env.[!e]*\n[]0-9]\nsrc[^x]\n\\#\\[a]\nopen[\n',
  );
  it.each([
    ['x.log', false, true],
    ['deep/er/x.log', false, true],
    ['x.logs', false, false],
    ['build', true, true],
    ['src/build', true, false],
    ['docs/a.md', false, true],
    ['docs/a/b.md', false, false],
    ['src/docs/a.md', false, false],
    ['cache', true, true],
    ['cache', false, false],
    ['a/tmp/x1', false, true],
    ['tmp/x1', false, true],
    ['a/tmp/x12', false, false],
    ['a+b', false, true],
    ['aab', false, false],
    ['lib/x.pyc', false, true],
    ['x.pyx', false, false],
    ['x.py', false, false],
    ['.env.local', false, true],
    ['.env.example', false, false],
    [']', false, true],
    ['7', false, true],
    ['-', false, false],
    ['src1', true, true],
    ['srcx', true, false],
    ['src/', true, false],
    ['#[a]', false, true],
    ['open[', false, true],
    ['.git', true, true],
    ['lib/__pycache__', true, true],
    ['.gitignore', false, false],
    ['.silverignore', false, true],
  ])('%s (folder: %s) stays at home: %s', (path, isFolder, expected) => {
    expect(ignore(path, isFolder)).toBe(expected);
  });

  it('matches what a pattern matches whose * is tried everywhere', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 });
    const glob = fc.array(fc.constantFrom('a', 'b', '*', '?', '[!a]', '/a', '/*'), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(glob, text, (parts, path) => {
        const pattern = parts.join('').replace(/\*+/g, '*');
        const anywhere = pattern.replace(/[*?]|\[!a\]/g, (it) =>
          it === '*' ? '[^/]*' : it === '?' ? '[^/]' : '[^a/]',
        );
        const start = pattern.includes('/') ? '^' : '(?:^|/)';
        const wanted = new RegExp(`${start}${anywhere.replace(/^\//, '')}$`).test(path);
        expect(parseIgnore(pattern)(path, false)).toBe(wanted);
      }),
      { numRuns: 500 },
    );
  });

  it('is done with the longest name at once, whatever the number of *', () => {
    expect(parseIgnore(`${'*a'.repeat(20)}b`)('a'.repeat(255), false)).toBe(false);
    expect(parseIgnore(`${'*a'.repeat(20)}*b`)(`${'a'.repeat(254)}b`, false)).toBe(true);
  });

  it('refuses so many ** that a long path would take too long', () => {
    const line = 'a/**/b/**/c/**/d';
    expect(parseIgnore(`# **/**/**/** \n${line}`)('a/b/c/x/d', false)).toBe(true);
    expect(() => parseIgnore(`\n${line}/**/e`)).toThrow('line 2 has more than 3 of **');
  });

  it.each(['*.log\n!x.log', '*.log\n*.[[:digit:]]'])(
    'refuses %j, which means something in a .gitignore alone',
    (text) => {
      expect(() => parseIgnore(text)).toThrow('line 2 ');
    },
  );
});
