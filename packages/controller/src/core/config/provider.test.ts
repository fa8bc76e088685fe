import { describe, expect, it } from 'vitest';
import { memoryConfigFiles } from '../../../../../test/fakes/memory-config-files.ts';
import { KNOWN } from './known.ts';
import { loadServerSet } from './load.ts';
import { formatProblem } from './problem.ts';

const CONF = '/home/me/.silverlining.conf';
const CLOUD = { options: { region: { type: 'line', default: 'eu' } }, usesSecret: true } as const;
const KNOWN_HERE = { ...KNOWN, drivers: { ...KNOWN.drivers, cloud: CLOUD } };

function load(provider: string, files: Record<string, string> = {}) {
  const loaded = loadServerSet('/set/silver.ini', {
    files: memoryConfigFiles({ '/set/silver.ini': `${provider}\n[appserver]\n`, ...files }),
    env: { HOME: '/home/me' },
    home: '/home/me',
    known: KNOWN_HERE,
  });
  const problems = loaded.problems.map((it) => formatProblem(it).replace('/set/silver.ini:', ''));
  return { provider: loaded.set?.provider, problems };
}

describe('[provider]', () => {
  it.each([
    ['nothing', '', { driver: 'local', options: {} }],
    ['options alone', '[provider]\nimage = debian:trixie', { driver: 'local', options: { image: 'debian:trixie' } }],
    ['defaults', '[provider]\nprovider = cloud', { driver: 'cloud', options: { region: 'eu' } }],
    [
      'all of hosts',
      '[provider]\nprovider = hosts\nuser = admin\nport = 2222\nidentity = keys/id\nknown_hosts = ~/kh\nhosts =\n  app1 10.0.0.1\n  DB.x.com 2001:db8::7 user=root port=22',
      {
        driver: 'hosts',
        options: {
          user: 'admin',
          port: '2222',
          identity: '/set/keys/id',
          known_hosts: '/home/me/kh',
          hosts: 'app1.set.internal 10.0.0.1\ndb.x.com 2001:db8::7 user=root port=22',
        },
      },
    ],
  ])('%s', (_, text, provider) => expect(load(text)).toEqual({ provider, problems: [] }));

  it('is looked up by name; values beside the name win, paths are relative to where they stand', () => {
    const conf = `[provider:mine]\nprovider = cloud\nusername = them\nregion = us\nsecret_file = s.txt\n[provider:other]\nsecret = no\n`;
    const files = { [CONF]: conf, '/home/me/s.txt': ' hush \n' };
    expect(load('[provider]\nname = mine\nusername = me', files)).toEqual({
      provider: { driver: 'cloud', options: { username: 'me', region: 'us', secret: 'hush' } },
      problems: [],
    });
  });

  it.each([
    ['provider = rackspace', {}, '2: there is no provider "rackspace"; there are: cloud, hosts, local'],
    ['provider = lokal', {}, '2: there is no provider "lokal"; there are: cloud, hosts, local; did you mean local?'],
    ['provider = constructor', {}, '2: there is no provider "constructor"; there are: cloud, hosts, local'],
    [
      'name = mine',
      {},
      `2: there is no [provider:mine] in ${CONF}, nor that file; add it there, or set provider here: cloud, hosts, local`,
    ],
    ['name = local', {}, `2: there is no [provider:local] in ${CONF}, nor that file; did you mean provider = local?`],
    [
      'name = mine',
      { [CONF]: '[provider:me]\nprovider = local\n[general]\n' },
      `2: there is no [provider:mine] in ${CONF} (it has: [provider:me]); add it there, or set provider here: cloud, hosts, local`,
    ],
    ['name = mine', { [CONF]: '[provider:mine]\n' }, `${CONF}:1: missing provider; there are: cloud, hosts, local`],
    [
      'name = mine',
      { [CONF]: '[provider:mine]\nprovider = rackspace\n' },
      `${CONF}:2: there is no provider "rackspace"; there are: cloud, hosts, local`,
    ],
    [
      'name = mine',
      { [CONF]: '[provider:mine]\nprovider = local\nimgae = x\n' },
      `${CONF}:3: unknown key; did you mean image?`,
    ],
    [
      'image = x\nprovider = hosts',
      {},
      '2: unknown key "image"; provider hosts takes name, provider, username, secret, secret_file, hosts, user, port, identity, known_hosts',
    ],
    ['image = debian:foo', {}, '2: image must be one of debian:bookworm, debian:trixie, not "debian:foo"'],
    [
      'provider = hosts\nuser = First.Last',
      {},
      '3: user must be lower case letters, digits, - and _, not "First.Last"',
    ],
    ['provider = hosts\nport = 0', {}, '3: port must be a whole number from 1 to 65535, not "0"'],
    [
      'provider = hosts\nhosts =\n  app1 1.1.1.1\n  b 2.2.2.2\n  App1 3.3.3.3',
      {},
      '6: two hosts are called app1.set.internal, on lines 4 and 6',
    ],
    [
      'provider = hosts\nhosts =\n  app1 1.1.1.1\n  b 1.1.1.1',
      {},
      '5: two hosts have the address 1.1.1.1, on lines 4 and 5',
    ],
    [
      'provider = hosts\nhosts =\n  app1 1.1.1.1\n  b 1.1.1.1 port=22',
      {},
      '5: two hosts have the address 1.1.1.1, on lines 4 and 5',
    ],
    [
      'provider = hosts\nport = 2222\nhosts =\n  app1 1.1.1.1\n  b 1.1.1.1 port=2222',
      {},
      '6: two hosts have the address 1.1.1.1, on lines 5 and 6',
    ],
    ['provider = hosts\nhosts =', {}, '3: no line for app1.set.internal; add "app1 ADDRESS"'],
    ['provider = hosts\nhosts = app1 x', {}, expect.stringContaining('3: invalid address "x" of app1')],
    [
      'provider = hosts\nhosts =\n  app1 1.1.1.1\n  $(id) 1.1.1.2',
      {},
      '5: invalid node name "$(id).set.internal": must be a host name: letters, digits, hyphens and dots',
    ],
    ['provider = cloud\nsecret_file = gone', {}, '3: secret_file /set/gone: does not exist'],
    ['provider = cloud\nsecret_file = empty', { '/set/empty': '\n' }, '3: secret_file /set/empty: is empty'],
  ])('answers %j', (text, files, expected) => {
    const { provider, problems } = load(`[provider]\n${text}`, files);
    expect(problems.filter((it) => !it.endsWith('has no hosts, which its driver needs'))).toEqual([expected]);
    expect(provider).toBeUndefined();
  });

  it('names every node that has no line, and the ways around a balancer that nobody asked for', () => {
    const text =
      '[provider]\nprovider = hosts\nhosts =\n  app1 10.0.0.1\n[appserver]\nnodes = 2\n[service:mysql]\nnode_name = db.x.com';
    expect(load(text).problems).toEqual([
      '3: no line for app2.set.internal; add "app2 ADDRESS"',
      '3: no line for db.x.com; add "db.x.com ADDRESS"',
      '3: no line for balancer.set.internal; add "balancer ADDRESS", give an app server its role with [balancer] node_name, or set load_balancer = false in [appserver]',
    ]);
    expect(load(`${text}\n[balancer]`).problems[2]).toBe(
      '3: no line for balancer.set.internal; add "balancer ADDRESS"',
    );
  });

  it('leaves out what was looked up for another driver', () => {
    const conf = '[provider:mine]\nprovider = cloud\nregion = us\nsecret = hush\n';
    expect(load('[provider]\nname = mine\nprovider = local', { [CONF]: conf })).toEqual({
      provider: { driver: 'local', options: {} },
      problems: [
        `3: warning: provider "local" stands for the "cloud" of [provider:mine] (${CONF}:2), whose values are not used`,
      ],
    });
  });

  it('needs what its driver needs', () => {
    expect(load('[provider]\nprovider = hosts').problems).toEqual([
      '1: [provider] has no hosts, which its driver needs',
    ]);
  });

  it.each([
    [
      'secret = a\nsecret_file = s',
      'filed',
      '3: warning: secret and secret_file are both given, on lines 2 and 3; the last one stands',
    ],
    [
      'secret_file = s\nsecret = given',
      'given',
      '3: warning: secret and secret_file are both given, on lines 2 and 3; the last one stands',
    ],
    [
      'secret_file = gone',
      undefined,
      '2: warning: secret_file /set/gone: does not exist (provider local needs no secret)',
    ],
    [
      'name = x\nprovider = local\nsecret = given',
      'given',
      `2: warning: there is no [provider:x] in ${CONF}, nor that file; the values beside it are used alone`,
    ],
  ])('only warns about %j', (text, secret, problem) => {
    const { provider, problems } = load(`[provider]\n${text}`, { '/set/s': 'filed' });
    expect(provider?.options.secret).toBe(secret);
    expect(problems).toEqual([problem]);
  });
});
