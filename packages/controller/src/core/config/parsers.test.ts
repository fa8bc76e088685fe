import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatHostLine, parseHostLine } from './host-line.ts';
import { parseTarget } from './location.ts';
import { baseName, directoryOf, resolvePath, staysInside } from './paths.ts';
import { parseSize } from './size.ts';
import { levenshtein, suggest } from './suggest.ts';
import { splitWords } from './words.ts';

describe('parseSize', () => {
  it.each([
    ['id 1', { by: 'id', id: '1' }],
    ['ram 256MB', { by: 'ram', mib: 256 }],
    ['ram 2 GB', { by: 'ram', mib: 2048 }],
    ['ram 512', { by: 'ram', mib: 512 }],
    ['name cx*1 small', { by: 'name', glob: 'cx*1 small' }],
    ['first id 1, ram 1GB', { by: 'first', wishes: ['id 1', 'ram 1GB'] }],
  ])('%s', (text, wish) => expect(parseSize(text)).toEqual({ wish }));

  it.each([
    '',
    'big',
    'id',
    'id a b',
    'ram',
    'ram lots',
    'ram 0MB',
    'ram -1',
    'name',
    'first',
    'first id 1,',
    'first first id 1',
  ])('refuses %j', (text) => expect(parseSize(text)).toHaveProperty('problem'));
});

describe('parseTarget', () => {
  it.each([
    ['http://foobar.com/', 'foobar.com', '/'],
    ['https://Foobar.COM:8443/Blog', 'foobar.com', '/Blog/'],
    ['foobar.com', 'foobar.com', '/'],
    ['http://*/x/', '*', '/x/'],
    ['.example.com/a/b//', '.example.com', '/a/b/'],
    ['http://10.0.0.1:80', '10.0.0.1', '/'],
  ])('%s', (url, host, path) => expect(parseTarget(url)).toEqual({ target: { host, path } }));

  it.each([
    ['http:///x', 'invalid hostname ""'],
    ['http://a b/', 'invalid hostname "a b"'],
    ['http://a.com\nServerName x/', 'invalid hostname "a.com\\nServerName x"'],
    ['http://user@a.com/', 'invalid hostname "user@a.com"'],
    ['http://a_b.com/', 'invalid hostname "a_b.com"'],
    ['*.a.com', 'invalid hostname "*.a.com"; write ".a.com" for all hosts below'],
    ['ftp://a.com/', 'a location is an http:// or https:// URL, not "ftp://a.com/"'],
    ['a.com/x?y', 'invalid path "/x?y/" in a location'],
    ['a.com/x"y', 'invalid path "/x\\"y/" in a location'],
    ['a.com/../x', 'invalid path "/../x/" in a location'],
    ['a.com/a//b', 'invalid path "/a//b/" in a location'],
  ])('refuses %j', (url, problem) => expect(parseTarget(url)).toEqual({ problem: expect.stringContaining(problem) }));
});

describe('parseHostLine', () => {
  it.each([
    ['app1 10.0.0.1', { name: 'app1.s.internal', address: '10.0.0.1' }],
    [
      'App1.x.com 2001:db8::7 user=admin port=2222',
      { name: 'app1.x.com', address: '2001:db8::7', user: 'admin', port: 2222 },
    ],
  ])('%s', (text, host) => {
    expect(parseHostLine(text, 's.internal')).toEqual({ host });
    expect(parseHostLine(formatHostLine(host), 's.internal')).toEqual({ host });
  });

  it.each([
    ['$(id) 10.0.0.1', 'invalid node name "$(id).s.internal"'],
    ['-oProxyCommand=x 10.0.0.1', 'invalid node name'],
    ['app1', 'app1 has no address'],
    ['app1 -oProxyCommand=x', 'invalid address "-oProxyCommand=x"'],
    ['app1 10.0.0.256', 'invalid address'],
    ['app1 10.0.0', 'invalid address'],
    ['app1 10.0.0.1:2222', 'invalid address "10.0.0.1:2222"; write: app1 10.0.0.1 port=2222'],
    ['app1 [2001:db8::7]:22', 'invalid address "[2001:db8::7]:22"; write: app1 2001:db8::7 port=22'],
    ['app1 web1.example.com', 'invalid address "web1.example.com" of app1: must be an IP address'],
    ['app1 web1.example.com:22', 'invalid address "web1.example.com:22" of app1: must be an IP address'],
    ['app1 fe80::1%eth0', 'must be an IP address'],
    ['app1 :::', 'must be an IP address'],
    ['app1 1:2', 'must be an IP address'],
    ['app1 10.0.0.1 port=0', 'cannot read "port=0"'],
    ['app1 10.0.0.1 user=-x', 'cannot read "user=-x"'],
    ['app1 10.0.0.1 extra', 'cannot read "extra"'],
  ])('refuses %s', (text, problem) =>
    expect(parseHostLine(text, 's.internal')).toEqual({ problem: expect.stringContaining(problem) }),
  );
});

describe('splitWords', () => {
  it.each([
    ['a b  c ', ['a', 'b', 'c']],
    [`a "b c" 'd e' f\\ g`, ['a', 'b c', 'd e', 'f g']],
    ['--x="a \\"q\\" $HOME" y', ['--x=a "q" $HOME', 'y']],
    ["''", ['']],
    ['', []],
  ])('%s', (text, words) => expect(splitWords(text)).toEqual(words));

  it.each(['a "b', "a 'b", 'a \\'])('refuses %s', (text) => expect(splitWords(text)).toBeUndefined());

  it('undoes single quotes', () => {
    const word = fc.string().filter((it) => !it.includes("'"));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        expect(splitWords(words.map((it) => `'${it}'`).join(' '))).toEqual(words);
      }),
    );
  });
});

describe('suggest', () => {
  it.each([
    ['update_fech', 'update_fetch'],
    ['NODES', 'nodes'],
    ['node', 'nodes'],
    ['xyz', undefined],
    ['a'.repeat(300), undefined],
  ])('%s: %s', (word, expected) => expect(suggest(word, ['nodes', 'update_fetch', 'size'])).toBe(expected));

  it('counts edits', () => {
    expect([
      levenshtein('', 'abc'),
      levenshtein('kitten', 'sitting'),
      levenshtein('same', 'same'),
      levenshtein('imgae', 'image'),
    ]).toEqual([3, 3, 0, 1]);
  });
});

describe('paths', () => {
  it('resolves against a directory or home', () => {
    const resolved = ['a', './a/../b', '../x', '/abs//p/', '~/k', '~'].map((it) =>
      resolvePath(it, '/set/dir', '/home/me'),
    );
    expect(resolved).toEqual(['/set/dir/a', '/set/dir/b', '/set/x', '/abs/p', '/home/me/k', '/home/me']);
  });

  it('takes them apart', () => {
    expect([directoryOf('/a/b.ini'), directoryOf('/b.ini'), baseName('/a/b.ini'), baseName('/')]).toEqual([
      '/a',
      '/',
      'b.ini',
      '',
    ]);
    expect(['a/b', '../a', 'a/../../b', '/a', '~/a'].map(staysInside)).toEqual([true, false, false, false, false]);
  });
});
