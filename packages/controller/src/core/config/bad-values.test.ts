import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOG, load, problems, SITE } from '../../../../../test/builders/server-set-file.ts';

describe('bad values', () => {
  it.each([
    ['[appserver]\nnodes = -1', ':2: nodes must be a whole number from 1 to 1000, not "-1"'],
    ['[appserver]\nnodes = 1e9', ':2: nodes must be a whole number from 1 to 1000, not "1e9"'],
    ['[appserver]\nnodes = NaN', ':2: nodes must be a whole number from 1 to 1000, not "NaN"'],
    ['[appserver]\nnodes = 0', ':2: nodes must be a whole number from 1 to 1000, not "0"'],
    ['[appserver]\nnodes = 1001', ':2: nodes must be a whole number from 1 to 1000, not "1001"'],
    ['[appserver]\nnodes =', ':2: nodes must be a whole number from 1 to 1000, not ""'],
    [
      '[appserver]\nsize = big',
      ':2: size must be id X, ram 256MB, name GLOB, or first and several of these with commas between',
    ],
    ['[appserver]\nload_balancer = maybe', ':2: load_balancer must be automatic, true or false, not "maybe"'],
    [
      '[appserver]\nnode_names = $(id)',
      ':2: invalid node name "$(id).set.internal": must be a host name: letters, digits, hyphens and dots',
    ],
    [
      '[appserver]\nnode_names = -oProxyCommand=x',
      ':2: invalid node name "-oproxycommand=x.set.internal": must be a host name: letters, digits, hyphens and dots',
    ],
    [
      '[appserver]\nnodes = 2\nnode_names = web',
      ':3: two nodes of [appserver] are called web.set.internal, by lines 2 and 3; put {{n}} in the name',
    ],
    [
      '[appserver]\nnode_names = a\n  b\n  A',
      ':4: two nodes of [appserver] are called a.set.internal, by lines 2 and 4; put {{n}} in the name',
    ],
    ['[appserver]\nnodes = 3\nnode_names = a b', ':3: node_names lists 2 names (line 3) for 3 nodes (nodes, line 2)'],
    [
      '[appserver]\n[__proto__]\nx = y',
      ':2: invalid name "__proto__": sections are general, controller, provider, appserver, balancer, app:NAME, service:NAME; NAME is lower case letters, digits, - and _, a letter first, at most 40',
    ],
    [
      '[appserver]\n[app:../x]',
      ':2: invalid name "../x": the name of an app is lower case letters, digits, - and _, a letter first, at most 40',
    ],
    [
      '[appserver]\n[app:constructor]',
      ":2: an app cannot be called constructor, which is a word of JavaScript's own: choose another name",
    ],
    [
      '[appserver]\n[app:my blog]',
      ':2: invalid name "my blog": the name of an app is lower case letters, digits, - and _, a letter first, at most 40',
    ],
    ['[appserver]\n[service:mysqll]', ':2: service mysqll is not supported yet; known: mysql; did you mean mysql?'],
    ['[appserver]\n[service:redis]', ':2: service redis is not supported yet; known: mysql'],
    ['[appserver]\n[service:mysql]\nnodes = 2', ':3: service mysql runs on one node at most'],
    ['[appserver]\n[service:mysql]\nnode_names = a\n  b', ':4: service mysql runs on one node at most'],
    ['[appserver]\n[service:mysql]\nnode_name =', ':3: node_name is empty'],
    ['[appserver]\nnode_names = ,', ':2: node_names is empty'],
    ['[appserver]\n[provider:x]', ':2: ["provider:x"] belongs to ~/.silverlining.conf, not here'],
    [
      '[appserver]\n[general]\nname = My Set',
      ':3: invalid set name "My Set": must be 1 to 40 lower case letters, digits and hyphens, a letter first and no hyphen last',
    ],
    [
      '[appserver]\n[general]\nname = shop-',
      ':3: invalid set name "shop-": must be 1 to 40 lower case letters, digits and hyphens, a letter first and no hyphen last',
    ],
    ['[appserver]\n[general]\nbase_domain = a;b', ':3: invalid base_domain "a;b": a domain such as example.com'],
    ['[appserver]\n[general]\nset_etc_hosts = maybe', ':3: set_etc_hosts must be true or false, not "maybe"'],
    ['[appserver]\n[general]\nname = a\n  b', ':3: name takes one line; line 4 is indented, so it continues name'],
    ['[appserver]\n[general]\nname = a\u0007b', ':3: name has a line break or control character in it'],
    [
      '[appserver]\n[general]\nname = {{general.base_domain}}\nbase_domain = {{general.name}}.x',
      ':3: name: a value that needs itself (general.name -> general.base_domain -> general.name)',
    ],
    ['[appserver]\n[controller]\nurl = example.com', ':3: url must look like wss://HOST:PORT, not "example.com"'],
    ['[appserver]\n[controller]\nurl = https://a:1', ':3: url must look like wss://HOST:PORT, not "https://a:1"'],
    ['[appserver]\n[controller]\nurl = wss://a', ':3: url must look like wss://HOST:PORT, not "wss://a"'],
    ['[appserver]\n[controller]\nlisten = eth0!', ':3: listen must look like HOST:PORT, :PORT or PORT, not "eth0!"'],
    ['[appserver]\n[controller]\nlisten = 70000', ':3: listen must look like HOST:PORT, :PORT or PORT, not "70000"'],
    ['[appserver]\n[controller]\nnode = app1', ':3: node is not supported yet'],
    ['[appserver]\n[controller]\ndatabase = x', ':3: database is not supported yet'],
    [
      '[appserver]\n[balancer]\nhostnames = a.com; ServerAlias b.com',
      ':3: invalid hostname "a.com;": letters, digits, hyphens and dots; .example.com for all hosts below, * for any',
    ],
    ['[general]\nname = x', ': no nodes: add an [appserver] section'],
    [
      '[appserver]\nx.y = 1',
      ':2: unknown key "x.y"; [appserver] takes locations, nodes, size, node_names, node_name, load_balancer',
    ],
  ])('%j', (text, expected) => {
    const loaded = load(text);
    expect(problems(loaded)).toContain(`/set/silver.ini${expected}`);
    expect(loaded.set).toBeUndefined();
  });

  it.each([
    ['health = healthy', ':5: health must be a path on this app, such as /healthy, not "healthy"'],
    ['health = /a b', ':5: health must be a path on this app, such as /healthy, not "/a b"'],
    ['keep = 0', ':5: keep must be a whole number from 1 to 100, not "0"'],
    ['env.A-B = x', ':5: "A-B" cannot name an environment variable: letters, digits and _'],
    ['config = nowhere', ':5: config: /set/nowhere does not exist'],
    ['dirr = x', ':5: unknown key; did you mean dir?'],
  ])('[app:blog] %s', (line, expected) => {
    expect(problems(load(`${SITE}${line}\n`))).toContain(`/set/silver.ini${expected}`);
  });

  it('lets no line of the environment into a location', () => {
    const text = `[appserver]\nlocations = http://\${SITE}/ blog\n${BLOG}`;
    const message = problems(load(text, {}, { SITE: 'a.com\nServerName x' }))[0];
    expect(message).toMatch(/^\/set\/silver\.ini:2: invalid hostname "a\.com\\nServerName x/);
  });

  it('names both lines of one location given to two apps', () => {
    const text = `[appserver]\nlocations =\n  http://a.com/ blog\n  https://A.com:443 shop\n${BLOG}[app:shop]\ndir = blog\n`;
    expect(problems(load(text))).toContain('/set/silver.ini:4: a.com/ is given to blog and shop, on lines 3 and 4');
  });

  it('names both lines of a node with two sizes', () => {
    const text = '[appserver]\nsize = id 1\n[balancer]\nnode_name = app1\nsize = id 2\n';
    expect(problems(load(text))).toEqual([
      '/set/silver.ini:5: app1.set.internal is given two sizes, on line 2 and line 5',
    ]);
  });

  it.each([
    ['a NUL', '[appserver]\nnodes = 1\0', ['/set/silver.ini:2: contains a NUL character']],
    ['2 MB', '#'.repeat(2_000_000), ['/set/silver.ini: too large: more than 1 MB']],
  ])('%s is the only thing said about a file', (_, text, expected) => {
    expect(problems(load(text))).toEqual(expected);
  });
});

describe('any text', () => {
  it('is answered and never thrown at', () => {
    const piece = fc.constantFrom(
      ...['[', ']', '=', '\n', ' ', '  ', '{{', '}}', '${', '}', '"', "'", '|', '.', ':', 'n', '9', '-', '\\', '#'],
      ...['[general]\n', '[appserver]\n', '[app:blog]\n', '[provider]\n', '[service:mysql]\n', '[balancer]\n'],
      ...[
        'nodes',
        'node_names',
        'size',
        'locations',
        'hostnames',
        'name',
        'dir',
        'http://',
        'a.com/',
        'blog',
        'first id 1',
      ],
      ...['provider = hosts\n', 'hosts = ', 'general.name', 'section.', '__proto__', 'env.', 'extends', 'script:'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.array(piece, { maxLength: 20 }), (set, app) => {
        const { problems: found, set: result } = load(set.join(''), { appIni: `[production]\n${app.join('')}` });
        expect(found.every((it) => it.message !== '' && it.file.startsWith('/'))).toBe(true);
        expect(result === undefined).toBe(found.some((it) => it.severity === 'error'));
      }),
      { numRuns: 500 },
    );
  });

  it('with more names than nodes there can be is refused at once', () => {
    const names = Array.from({ length: 8000 }, (_, i) => `a${i}`).join(' ');
    expect(problems(load(`[appserver]\nnode_names = ${names}`))).toContain(
      '/set/silver.ini:2: node_names lists 8000 names; a section has 1000 nodes at most',
    );
  });
});
