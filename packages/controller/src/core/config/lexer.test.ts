import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../../../../test/builders/any-character.ts';
import { lex } from './lexer.ts';
import { Problems } from './problem.ts';

function read(text: string) {
  const problems = new Problems();
  const sections = lex(text, '/s.ini', problems);
  const values = Object.fromEntries(
    [...sections].map(([name, section]) => [
      name,
      Object.fromEntries(
        [...section.entries].map(([key, entry]) => [key, entry.lines.map((it) => it.text).join('\n')]),
      ),
    ]),
  );
  return {
    sections,
    values,
    problems: problems.sorted('/s.ini').map((it) => `${it.line} ${it.severity}: ${it.message}`),
  };
}

describe('lex', () => {
  it.each([
    ['plain', '[a]\nk = v', { a: { k: 'v' } }],
    ['no blanks', '[a]\nk=v', { a: { k: 'v' } }],
    ['# ; // and = in a value', '[a]\nk = http://h/#x;y=z', { a: { k: 'http://h/#x;y=z' } }],
    ['a dot in a section name', '[app:a.b]\nk = v\n[x.y]\nk=w', { 'app:a.b': { k: 'v' }, 'x.y': { k: 'w' } }],
    ['comments', '# c\n[a] ; c\n  ; c\nk = v\n  # c\n  w', { a: { k: 'v\nw' } }],
    ['continuation lines', '[a]\nk =\n    one\n\n\ttwo\nl = x', { a: { k: 'one\ntwo', l: 'x' } }],
    ['a section in a continuation', '[a]\nk = x\n  [::1]:80', { a: { k: 'x\n[::1]:80' } }],
    [
      'a file that is indented as a whole',
      '  [a]\n  k = x\n    y\n  [b]\n  l = z',
      { a: { k: 'x\ny' }, b: { l: 'z' } },
    ],
    ['CRLF and a byte order mark', '\uFEFF[a]\r\nk = v\r\n  w\r\n', { a: { k: 'v\nw' } }],
    [
      'quotes that keep blanks',
      '[a]\nk = " v "\nl = "a" b "c"\nm = \'x\'',
      { a: { k: ' v ', l: '"a" b "c"', m: "'x'" } },
    ],
    [
      'quotes, and nothing in them',
      '[a]\nk = "\\d+ "\nl = "C:\\temp"\nm = ""',
      { a: { k: '\\d+ ', l: 'C:\\temp', m: '' } },
    ],
    ['quotes in continuation lines', '[a]\nk =\n  "> "\n  "a" "b"\n  ""', { a: { k: '> \n"a" "b"' } }],
    ['words that look like other types', '[a]\nk = true\nl = null\nm = 007', { a: { k: 'true', l: 'null', m: '007' } }],
    ['backslashes', '[a]\nk = C:\\\\x\\;y\\', { a: { k: 'C:\\\\x\\;y\\' } }],
    ['an empty value', '[a]\nk =', { a: { k: '' } }],
    [
      'keys that look like arrays or prototypes',
      '[a]\nk[] = v\nconstructor = w',
      { a: { 'k[]': 'v', constructor: 'w' } },
    ],
    ['a section opened twice', '[a]\nk = v\n[b]\n[a]\nl = w', { a: { k: 'v', l: 'w' }, b: {} }],
  ])('reads %s', (_, text, expected) => {
    expect(read(text)).toMatchObject({ values: expected, problems: [] });
  });

  it('keeps the line of each key and each continuation line', () => {
    const entry = read('[a]\n# c\nk =\n  one\n\n  two').sections.get('a')?.entries.get('k');
    expect(entry).toEqual({
      key: 'k',
      file: '/s.ini',
      line: 3,
      lines: [
        { text: 'one', line: 4 },
        { text: 'two', line: 6 },
      ],
    });
  });

  it.each([
    ['k = v', ['1 error: k stands before the first [section]']],
    ['[a\nk = v', ['1 error: not a section: "[a"; a section is a line such as [general]']],
    ['[a]\nnonsense\n  more = x', ['2 error: expected key = value, found "nonsense"']],
    ['[a]\n= v', ['2 error: expected key = value, found "= v"']],
    ['[a]\n__proto__ = v', ['2 error: expected key = value, found "__proto__ = v"']],
    ['[a]\nk = 1\nk = 2', ['3 warning: k is given twice, on lines 2 and 3; the last one stands']],
    ['[a]\nk = 1\n[b]\n[a]\nk = 2', ['5 warning: k is given twice, on lines 2 and 5; the last one stands']],
  ])('answers %j', (text, expected) => {
    expect(read(text).problems).toEqual(expected);
  });

  it('lets the last of two values stand', () => {
    expect(read('[a]\nk = 1\n  x\nk = 2').values).toEqual({ a: { k: '2' } });
  });

  it('does not let keys under a broken header into the section before', () => {
    expect(read('[a]\nk = 1\n[b\nk = 2').values).toEqual({ a: { k: '1' } });
  });

  it('cannot be made to touch a prototype', () => {
    const { sections } = read('[__proto__]\npolluted = yes\n[constructor]\nprototype = x');
    expect([...sections.keys()]).toEqual(['__proto__', 'constructor']);
    expect({}).not.toHaveProperty('polluted');
  });

  it('gives back what was written, whatever it was', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9_.:-]{0,11}$/);
    const value = fc
      .string({ unit: anyCharacter, minLength: 1, maxLength: 20 })
      // What a line cannot hold, what starts a comment, and quotes in a value that needs quotes, is not under test here.
      .filter((it) => !/[\r\n\0]/.test(it) && !/^[#;"\uFEFF]/.test(it) && (it === it.trim() || !it.includes('"')));
    const written = (it: string) => (it === it.trim() ? it : `"${it}"`);
    const some = { maxKeys: 4 };
    const keys = fc.dictionary(word, fc.array(value, { minLength: 1, maxLength: 3 }), some);
    const file = fc.dictionary(word, keys, some);
    fc.assert(
      fc.property(file, fc.constantFrom('\n', '\r\n'), fc.constantFrom(' ', '    ', '\t'), (sections, eol, indent) => {
        const lines = Object.entries(sections).flatMap(([name, keys]) => [
          `[${name}]`,
          ...Object.entries(keys).flatMap(([key, [first, ...rest]]) => [
            `${key} = ${written(first ?? '')}`,
            ...rest.map((it) => indent + written(it)),
          ]),
        ]);
        const expected = Object.fromEntries(
          Object.entries(sections).map(([name, keys]) => [
            name,
            Object.fromEntries(Object.entries(keys).map(([key, values]) => [key, values.join('\n')])),
          ]),
        );
        expect(read(lines.join(eol))).toMatchObject({ values: expected, problems: [] });
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 200 }), (text) => {
        expect(() => read(text)).not.toThrow();
      }),
    );
  });
});
