import { describe, expect, it } from 'vitest';
import { memoryConfigFiles } from '../../../../../test/fakes/memory-config-files.ts';
import { KNOWN } from './known.ts';
import { loadServerSet } from './load.ts';
import { formatProblem } from './problem.ts';

/** `name: roles` of the nodes that a file asks for, and what is wrong with it. */
function nodesOf(text: string) {
  const files = memoryConfigFiles({ '/set/silver.ini': text });
  const { set, problems } = loadServerSet('/set/silver.ini', { files, env: {}, home: '/home/me', known: KNOWN });
  return {
    nodes: set?.nodes.map((it) => `${it.name}: ${it.roles.join(' ')}`),
    problems: problems.map((it) => formatProblem(it).replace('/set/silver.ini:', '')),
  };
}

describe('nodes of a set', () => {
  it.each([
    ['one app server', '[appserver]', ['app1.set.internal: appserver']],
    [
      'two app servers get a balancer',
      '[appserver]\nnodes = 2',
      ['app1.set.internal: appserver', 'app2.set.internal: appserver', 'balancer.set.internal: balancer'],
    ],
    [
      'unless they should not',
      '[appserver]\nnodes = 2\nload_balancer = false',
      ['app1.set.internal: appserver', 'app2.set.internal: appserver'],
    ],
    [
      'and one does when it should',
      '[appserver]\nload_balancer = true',
      ['app1.set.internal: appserver', 'balancer.set.internal: balancer'],
    ],
    [
      'all kinds, under a base domain, whatever their order',
      '[balancer]\n[service:mysql]\n[appserver]\n[general]\nbase_domain = Example.com',
      ['app1.example.com: appserver', 'mysql.example.com: service:mysql', 'balancer.example.com: balancer'],
    ],
    [
      'several balancers',
      '[appserver]\n[balancer]\nnodes = 2',
      ['app1.set.internal: appserver', 'balancer.set.internal: balancer', 'balancer2.set.internal: balancer'],
    ],
    [
      'patterns',
      '[appserver]\nnodes = 2\nload_balancer = no\nnode_names = Web{{n|pad 2}}.x.com',
      ['web01.x.com: appserver', 'web02.x.com: appserver'],
    ],
    [
      'a list of names',
      '[appserver]\nload_balancer = no\nnode_names = red, green\n  blue.x.com',
      ['red.set.internal: appserver', 'green.set.internal: appserver', 'blue.x.com: appserver'],
    ],
    [
      'one name',
      '[appserver]\nnode_name = {{general.name}}-web\n[general]\nname = shop',
      ['shop-web.shop.internal: appserver'],
    ],
    [
      'two roles on one node',
      '[appserver]\nnodes = 2\n[service:mysql]\nnode_name = app2\n[balancer]\nnode_name = APP1',
      ['app1.set.internal: appserver balancer', 'app2.set.internal: appserver service:mysql'],
    ],
    ['services alone', '[service:mysql]', ['mysql.set.internal: service:mysql']],
  ])('%s', (_, text, nodes) => {
    expect(nodesOf(text)).toEqual({ nodes, problems: [] });
  });

  it.each([
    [
      '[appserver]\nnode_name = a\nnode_names = b',
      ['b.set.internal: appserver'],
      '3: warning: node_name and node_names are both given, on lines 2 and 3; the last one stands',
    ],
    [
      '[appserver]\nnodes = 2\nload_balancer = false\n[balancer]',
      ['app1.set.internal: appserver', 'app2.set.internal: appserver'],
      '3: warning: load_balancer = false (line 3) switches [balancer] (line 4) off',
    ],
  ])('%j is only warned about', (text, nodes, problem) => {
    expect(nodesOf(text)).toEqual({ nodes, problems: [problem] });
  });
});

describe('sizes of nodes', () => {
  it('are those of the section that gives one', () => {
    const files = memoryConfigFiles({
      '/set/silver.ini':
        '[appserver]\n[service:mysql]\nnode_name = app1\nsize = ram 1GB\n[balancer]\nsize = first id 1, name c*',
    });
    const { set } = loadServerSet('/set/silver.ini', { files, env: {}, home: '/home/me', known: KNOWN });
    expect(set?.nodes).toEqual([
      {
        name: 'app1.set.internal',
        roles: ['appserver', 'service:mysql'],
        size: 'ram 1GB',
        sizeWish: { by: 'ram', mib: 1024 },
      },
      {
        name: 'balancer.set.internal',
        roles: ['balancer'],
        size: 'first id 1, name c*',
        sizeWish: { by: 'first', wishes: ['id 1', 'name c*'] },
      },
    ]);
  });
});
