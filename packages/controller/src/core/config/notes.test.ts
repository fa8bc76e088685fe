import { describe, expect, it } from 'vitest';
import { memoryConfigFiles } from '../../../../../test/fakes/memory-config-files.ts';
import { KNOWN } from './known.ts';
import { loadServerSet } from './load.ts';
import { formatProblem } from './problem.ts';

/** The file that the design notes imagined, with every key they show; only the provider differs. */
const notes = (provider: string) => `
[general]
# Just naming the general setup:
name = my-server-setup
# If you set this to false, then /etc/hosts won't be updated:
set_etc_hosts = false

[provider]
# You can just look up a provider in ~/.silverlining.conf:
name = whatever
${provider}
username = foobar
secret = XXX
# or:
secret_file = \${HOME}/.rackspace-secret.txt

[appserver]
# This describes the app server
# You can have multiple things setup:
locations =
    http://foobar.com/ app1

# You can setup multiple nodes:
nodes = 10
# default being 1, of course.

# You can indicate the size of these nodes too:
size = id 1
# You can also give the size in MB of ram (since that generally
# increments):
size = ram 256MB

# This is used to name the nodes:
node_names = app{{n}}.foobar.com

[app:app1]
# There is a section for each application
dir = /path/to/app1

[service:mysql]
# How many nodes to assign:
nodes = 1

[balancer]
# Describes the load balancer
hostnames = foobar.com
    baz.com
`;

function check(text: string) {
  const files = memoryConfigFiles({
    '/set/silver.ini': text,
    '/path/to/app1/app.ini': '[production]\napp_name = app1\nservice.mysql =\n',
    '/home/me/.silverlining.conf': '[provider:whatever]\nprovider = local\nimage = debian:trixie\n',
    '/home/me/.rackspace-secret.txt': 'hush\n',
  });
  const loaded = loadServerSet('/set/silver.ini', { files, env: { HOME: '/home/me' }, home: '/home/me', known: KNOWN });
  return { ...loaded, messages: loaded.problems.map((it) => formatProblem(it)) };
}

const WARNINGS = [
  '/set/silver.ini:15: warning: secret and secret_file are both given, on lines 13 and 15; the last one stands',
  '/set/silver.ini:31: warning: size is given twice, on lines 28 and 31; the last one stands',
];

describe('the file of the design notes', () => {
  it.each([
    ['as it stands', notes('')],
    ['with the provider beside its name', notes('provider = local')],
    ['indented as a whole', notes('').replaceAll('\n', '\n    ')],
  ])('passes %s: 12 nodes, rightly named', (_, text) => {
    const { set, messages } = check(text);
    expect(messages).toEqual(WARNINGS);
    expect(set?.nodes.map((it) => it.name)).toEqual([
      ...Array.from({ length: 10 }, (_, i) => `app${i + 1}.foobar.com`),
      'mysql.my-server-setup.internal',
      'balancer.my-server-setup.internal',
    ]);
    expect(set?.nodes.map((it) => it.size)).toEqual([...Array(10).fill('ram 256MB'), undefined, undefined]);
    expect(set).toMatchObject({
      name: 'my-server-setup',
      setEtcHosts: false,
      provider: { driver: 'local', options: { username: 'foobar', secret: 'hush', image: 'debian:trixie' } },
      locations: [{ host: 'foobar.com', path: '/', app: 'app1' }],
      aliases: ['baz.com'],
      apps: [{ name: 'app1', dir: '/path/to/app1', services: { mysql: '' } }],
      services: [{ name: 'mysql', options: {} }],
    });
  });

  it('says which providers there are when it names one that nobody knows', () => {
    const { set, messages } = check(notes('provider = rackspace'));
    expect(messages).toContain('/set/silver.ini:11: there is no provider "rackspace"; there are: hosts, local');
    expect(set).toBeUndefined();
  });
});
