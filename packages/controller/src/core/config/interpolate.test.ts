import { describe, expect, it } from 'vitest';
import { createInterpolator } from './interpolate.ts';
import { lex } from './lexer.ts';
import { Problems } from './problem.ts';

const ENV = { HOME: '/home/me', EMPTY: '', TRICKY: '{{general.base_domain}}' };
const OTHERS = `
[general]
base_domain = {{section.name}}.example
name = shop
loop = {{app:a.b.loop}}
deep = {{appserver.nope}}
[appserver]
size = id 1
[service:mysql]
nodes = 3
[app:a.b]
loop = {{general.loop}}
env.X = x
`;

function fill(value: string, n?: number) {
  const sections = lex(`${OTHERS}\n[t]\nk = ${value}\nsize = ram 1GB\n`, '/s.ini', new Problems());
  const defaultOf = (section: string, key: string) => (section === 'appserver' && key === 'nodes' ? '1' : undefined);
  const entry = sections.get('t')?.entries.get('k') ?? { key: 'k', file: '/s.ini', line: 0, lines: [] };
  const filled = createInterpolator({ sections, env: ENV, defaultOf }).fill('t', entry, n);
  return filled.ok ? filled.lines.map((it) => it.text).join('\n') : { message: filled.message };
}

describe('interpolation', () => {
  it.each([
    [`\${HOME}/x`, '/home/me/x'],
    [`\${PORT:-8080}`, '8080'],
    [`\${EMPTY:-8080}`, '8080'],
    [`[\${EMPTY}]`, '[]'],
    [`\${NOTHING:-}`, ''],
    ['{{environ.HOME}}', '/home/me'],
    ['{{general.base_domain}}', 'shop.example'],
    ['{{ section.size }}', 'ram 1GB'],
    ['{{service:mysql.nodes}}', '3'],
    ['{{app:a.b.env.X}}', 'x'],
    ['{{appserver.nodes}}', '1'],
    ['{{appserver.nodes + service:mysql.nodes * 2}}', '7'],
    ['{{(1 + 2) * 3 - 10}}', '-1'],
    ['{{service:mysql.nodes|add 1}}', '4'],
    ['{{service:mysql.nodes | sub 1 | pad 3}}', '002'],
    ['{{general.name|upper}}', 'SHOP'],
    ['{{"{{"}} {{"$' + '{HOME}"}} {{"a\\"}}"}}', `{{ \${HOME} a"}}`],
    [`\${TRICKY}`, '{{general.base_domain}}'],
    ['$HOME $PORT {x} }}', '$HOME $PORT {x} }}'],
  ])('%s is %s', (text, expected) => {
    expect(fill(text)).toBe(expected);
  });

  it.each([
    ['app{{n}}', 'app7'],
    ['app{{n|pad 2}}', 'app07'],
    ['app{{n + 100}}', 'app107'],
    ['app{{ n | add 100 | pad 5 }}', 'app00107'],
  ])('%s for node 7 is %s', (text, expected) => {
    expect(fill(text, 7)).toBe(expected);
  });

  it.each([
    [`\${NOTHING}`, `NOTHING is not set in the environment; \${NOTHING:-VALUE} gives a default`],
    ['{{environ.NOTHING}}', `NOTHING is not set in the environment; \${NOTHING:-VALUE} gives a default`],
    [`\${rm -rf}`, `\${rm -rf} is not the name of an environment variable`],
    [`\${A:-{{general.name}}}`, `the default in \${A:-VALUE} is plain text: no \${ or {{ can stand in it`],
    [`x\${HOME:-{{n}}/y}`, `the default in \${HOME:-VALUE} is plain text: no \${ or {{ can stand in it`],
    [`\${A:-\${HOME}}`, `the default in \${A:-VALUE} is plain text: no \${ or {{ can stand in it`],
    [`\${HOME`, `\${ is not closed`],
    ['{{n', '{{ is not closed'],
    ['app{{n}}', '{{n}} is known in node_names only'],
    ['{{section.k}}', 'a value that needs itself (t.k -> t.k)'],
    ['{{general.loop}}', 'a value that needs itself (t.k -> general.loop -> app:a.b.loop -> general.loop)'],
    ['{{general.deep}}', '[appserver] has no nope (t.k -> general.deep -> appserver.nope)'],
    ['{{general.nam}}', '[general] has no nam; did you mean name? (t.k -> general.nam)'],
    ['{{genral.name}}', 'nothing is called genral.name; did you mean general.name? (t.k -> genral.name)'],
    ['{{size}}', 'nothing is called size; a value of the same section is {{section.size}} (t.k -> size)'],
    ['{{environ.__proto__}}', `__proto__ is not set in the environment; \${__proto__:-VALUE} gives a default`],
    ['{{general.constructor}}', '[general] has no constructor (t.k -> general.constructor)'],
    ['{{general.name + 1}}', '"shop" must be a whole number'],
    ['{{general.name|shout}}', 'unknown filter "shout"; there are: pad, add, sub, lower, upper'],
    ['{{general.name|pad}}', 'the width of pad must be a whole number'],
    ['{{9999999999999999 * 9}}', 'a number is too large'],
    ['{{}}', 'expected a name or a number, found ""'],
    ['{{(1}}', 'a parenthesis is not closed'],
    ['{{1 2}}', '{{1 2}}: unexpected "2"'],
    ['{{process.exit()}}', 'nothing is called process.exit (t.k -> process.exit)'],
    ['{{`id`}}', '{{`id`}}: cannot read "`id`"'],
  ])('%s: %s', (text, message) => {
    expect(fill(text)).toEqual({ message });
  });

  it('says that a minus needs blanks', () => {
    expect(fill('{{n-1}}', 3)).toEqual({
      message: 'nothing is called n-1; a minus needs blanks around it (t.k -> n-1)',
    });
  });

  it('names the line that it failed in', () => {
    const sections = lex(`[t]\nk = a\n  \${NO}\n`, '/s.ini', new Problems());
    const entry = sections.get('t')?.entries.get('k') ?? { key: '', file: '', line: 0, lines: [] };
    expect(createInterpolator({ sections, env: {}, defaultOf: () => undefined }).fill('t', entry)).toMatchObject({
      line: 3,
    });
  });

  it('does not grow without end', () => {
    const doubling = Array.from({ length: 40 }, (_, i) => `k${i} = {{section.k${i + 1}}}{{section.k${i + 1}}}`);
    const sections = lex(`[t]\n${doubling.join('\n')}\nk40 = xx\n`, '/s.ini', new Problems());
    const entry = sections.get('t')?.entries.get('k0') ?? { key: '', file: '', line: 0, lines: [] };
    const filled = createInterpolator({ sections, env: {}, defaultOf: () => undefined }).fill('t', entry);
    expect(filled).toMatchObject({ ok: false, message: expect.stringContaining('longer than 64 KiB') });
  });

  it('does not nest without end', () => {
    const chain = Array.from({ length: 5000 }, (_, i) => `k${i} = {{section.k${i + 1}}}`);
    const sections = lex(`[t]\n${chain.join('\n')}\n`, '/s.ini', new Problems());
    const entry = sections.get('t')?.entries.get('k0') ?? { key: '', file: '', line: 0, lines: [] };
    const filled = createInterpolator({ sections, env: {}, defaultOf: () => undefined }).fill('t', entry);
    expect(filled).toMatchObject({ message: expect.stringContaining('more than 50 values refer to each other') });
    expect(fill(`{{${'('.repeat(5000)}1}}`)).toEqual({ message: 'an expression is longer than 500 characters' });
  });
});
