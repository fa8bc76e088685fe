import { describe, expect, it } from 'vitest';
import { aLocation } from '../../../../../test/builders/role-context.ts';
import { type Route, routesOf } from './routes.ts';

/** What a proxy does with the list: the first route whose host and path match. */
function find(routes: readonly Route[], host: string, path: string): string | undefined {
  return routes.find((it) => matches(it.host, host) && `${path}/`.startsWith(it.path))?.app;
}

function matches(match: Route['host'], host: string): boolean {
  if (match.kind === 'any') return true;
  if (match.kind === 'exact') return match.host === host;
  return match.domain === host || host.endsWith(`.${match.domain}`);
}

const routes = routesOf({
  locations: [
    ...['*/ star', '.example.com/ wide', '.deep.example.com/ deep', '.deep.example.com/x/ deepx'],
    ...['www.example.com/ main', 'www.example.com/blog/ blog', 'www.example.com/blog/admin/ admin'],
    ...['bare.test/ bare', 'only.test/sub/ sub'],
  ].map(aLocation),
  aliases: ['alias.test'],
});

describe('routes', () => {
  it.each([
    ['www.example.com', '/', 'main'],
    ['www.example.com', '/blog', 'blog'],
    ['www.example.com', '/blogger', 'main'],
    ['www.example.com', '/blog/admin/x', 'admin'],
    ['www.example.com', '/blog/administrator', 'blog'],
    ['example.com', '/', 'wide'],
    ['a.example.com', '/', 'wide'],
    ['fooexample.com', '/', 'star'],
    ['a.deep.example.com', '/x/', 'deepx'],
    ['deep.example.com', '/y', 'deep'],
    ['bare.test', '/', 'bare'],
    ['www.bare.test', '/', 'bare'],
    ['a.bare.test', '/', 'star'],
    ['only.test', '/sub/1', 'sub'],
    ['only.test', '/', 'star'],
    ['alias.test', '/', 'star'],
  ])('%s%s is %s', (host, path, app) => {
    expect(find(routes, host, path)).toBe(app);
  });

  it('gives aliases what the first location has', () => {
    const locations = ['a.test/ one', 'a.test/two/ two', 'b.test/ three'].map(aLocation);
    const withAlias = routesOf({ locations, aliases: ['c.test', 'b.test'] });
    expect(['c.test', 'www.c.test', 'b.test'].map((host) => find(withAlias, host, '/two/'))).toEqual([
      'two',
      'two',
      'three',
    ]);
  });

  it('leaves www. to a suffix that has it', () => {
    const both = routesOf({ locations: ['x.test/ bare', '.x.test/ suffix'].map(aLocation), aliases: [] });
    expect(find(both, 'www.x.test', '/')).toBe('suffix');
    expect(find(both, 'x.test', '/')).toBe('bare');
  });
});
