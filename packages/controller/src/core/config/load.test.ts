import { describe, expect, it } from 'vitest';
import { APP, load, problems, SITE } from '../../../../../test/builders/server-set-file.ts';

describe('a server set', () => {
  it('needs little: a name from its directory, one app server, defaults for the rest', () => {
    const { set, ...loaded } = load(SITE);
    expect(problems({ ...loaded })).toEqual([]);
    expect(set).toMatchObject({
      name: 'set',
      file: '/set/silver.ini',
      baseDomain: 'set.internal',
      setEtcHosts: true,
      controller: {},
      provider: { driver: 'local', options: {} },
      nodes: [{ name: 'app1.set.internal', roles: ['appserver'] }],
      locations: [{ host: 'a.com', path: '/', app: 'blog' }],
      aliases: [],
      services: [],
    });
    expect(set?.apps).toEqual([
      {
        name: 'blog',
        dir: '/set/blog',
        keep: 5,
        health: '/',
        healthTimeout: 60,
        processes: 0,
        env: {},
        platform: 'static',
        packages: [],
        updateFetch: [],
        services: {},
      },
    ]);
  });

  it('warns of variables that the node decides on', () => {
    const { set, ...loaded } = load(`${SITE}env.PORT = 3000\nenv.SITE = x\nenv.SILVER_RUNNER = y\n`);
    expect(set).toBeDefined();
    expect(problems(loaded)).toEqual([
      '/set/silver.ini:5: warning: env.PORT has no effect: the node decides on PORT',
      '/set/silver.ini:7: warning: env.SILVER_RUNNER has no effect: the node decides on SILVER_RUNNER',
    ]);
  });

  it('reads every key of [app:NAME]', () => {
    const { set } = load(
      `${SITE}config = ../conf\nkeep = 3\nhealth = /ok\nhealth_timeout = 5\nprocesses = 4\nenv.SITE = {{appserver.nodes}} at \${HOME}\n`,
      { '/conf/x': '' },
    );
    expect(set?.apps[0]).toMatchObject({
      config: '/conf',
      keep: 3,
      health: '/ok',
      healthTimeout: 5,
      processes: 4,
      env: { SITE: '1 at /home/me' },
    });
  });

  it('keeps blanks at the ends of variables of the environment, and of nothing else', () => {
    const { set, ...loaded } = load(`${SITE}env.A = "> "\nenv.B =\n  " <"\nhealth = "/ok "\n`);
    expect(problems(loaded)).toEqual([]);
    expect(set?.apps[0]).toMatchObject({ env: { A: '> ', B: ' <' }, health: '/ok' });
  });

  it('reports all problems at once, in order of lines', () => {
    const loaded = load(
      `[generel]\nname = x\n[appserver]\nnodes = ten\nlocations =\n  http://a b/ x\n  http://b.com/ nope\nsise = 1\n[app:blog]\ndir = gone\n`,
    );
    expect(loaded.set).toBeUndefined();
    expect(problems(loaded)).toEqual([
      '/set/silver.ini:1: unknown section; did you mean [general]?',
      '/set/silver.ini:4: nodes must be a whole number from 1 to 1000, not "ten"',
      '/set/silver.ini:6: invalid hostname "a b": letters, digits, hyphens and dots; .example.com for all hosts below, * for any',
      '/set/silver.ini:7: there is no section [app:nope] for this location; add [app:nope] with its dir',
      '/set/silver.ini:8: unknown key; did you mean size?',
      '/set/silver.ini:10: dir: /set/gone does not exist',
    ]);
  });
});

describe('extends', () => {
  const extending = (text: string, base: string) => load(text, { '/base/base.ini': base, '/base/blog/app.ini': APP });

  it('lets the extending file win key by key, and keeps places and directories', () => {
    const {
      set,
      problems: found,
      resolved,
    } = extending(
      '[general]\nextends = ../base/base.ini\n[appserver]\nnodes = 3\n[app:blog]\nkeep = 2\n',
      '[general]\nname = base\n[appserver]\nnodes = 1\nsize = id 1\nlocations = a.com blog\n[app:blog]\ndir = blog\n',
    );
    expect(found).toEqual([]);
    expect(set).toMatchObject({ name: 'base', apps: [{ dir: '/base/blog', keep: 2 }] });
    expect(set?.nodes.map((it) => [it.name, it.size ?? it.roles])).toEqual([
      ['app1.base.internal', 'id 1'],
      ['app2.base.internal', 'id 1'],
      ['app3.base.internal', 'id 1'],
      ['balancer.base.internal', ['balancer']],
    ]);
    expect(resolved).toContainEqual({
      section: 'appserver',
      key: 'size',
      value: 'id 1',
      file: '/base/base.ini',
      line: 5,
      origin: 'file',
    });
  });

  it.each([
    ['node_names', '[appserver]\nnode_names = t', '\n\n\n[appserver]\nnode_name = web'],
    ['node_name', '[appserver]\nnode_name = t', '\n\n\n[appserver]\nnode_names = web'],
  ])('lets %s of the extending file stand for both ways to name nodes', (_, own, base) => {
    const { set, problems: found } = extending(`[general]\nextends = ../base/base.ini\n${own}\n`, `${base}\n`);
    expect(found).toEqual([]);
    expect(set?.nodes.map((it) => it.name)).toEqual(['t.set.internal']);
  });

  it.each([
    ['secret', 'secret = own', 'secret_file = base.txt'],
    ['secret_file', 'secret_file = own.txt', 'secret = base'],
  ])('lets %s of the extending file stand for both ways to give a secret', (_, own, base) => {
    const { set, problems: found } = load(`[general]\nextends = ../base/base.ini\n[provider]\n${own}\n[appserver]\n`, {
      '/base/base.ini': `\n\n\n\n\n[provider]\nprovider = local\n${base}\n`,
      '/base/base.txt': 'base',
      '/set/own.txt': 'own',
    });
    expect(found).toEqual([]);
    expect(set?.provider.options.secret).toBe('own');
  });

  it('leaves out options of the base for another driver, and no others', () => {
    const base = '[provider]\nprovider = hosts\nhosts = app1 10.0.0.1\nuser = admin\n[appserver]\nnodes = 2\n';
    const own = '[general]\nextends = ../base/base.ini\n[provider]\nprovider = local\n';
    const { set, problems: found } = extending(own, base);
    expect(found).toEqual([]);
    expect(set?.provider).toEqual({ driver: 'local', options: {} });
    expect(problems(extending(own, `${base}[provider]\ncolour = red\n`))).toEqual([
      expect.stringContaining('/base/base.ini:8: unknown key "colour"'),
    ]);
    expect(problems(extending(`${own}hosts = app1 10.0.0.1\n`, base))).toEqual([
      expect.stringContaining('/set/silver.ini:5: unknown key "hosts"'),
    ]);
  });

  it('takes the provider that the extending file names', () => {
    const { set, problems: found } = load('[general]\nextends = ../base/base.ini\n[provider]\nname = mine\n', {
      '/base/base.ini': '[provider]\nprovider = hosts\nhosts = app1 10.0.0.1\n[appserver]\n',
      '/home/me/.silverlining.conf': '[provider:mine]\nprovider = local\nimage = debian:trixie\n',
    });
    expect(found).toEqual([]);
    expect(set?.provider).toEqual({ driver: 'local', options: { image: 'debian:trixie' } });
  });

  it('reports a problem in the base at its own place', () => {
    const loaded = extending('[general]\nextends = ../base/base.ini\n', '[appserver]\nnodes = x\n');
    expect(problems(loaded)).toEqual(['/base/base.ini:2: nodes must be a whole number from 1 to 1000, not "x"']);
    const off = '[general]\nextends = ../base/base.ini\n[appserver]\nload_balancer = false\n';
    expect(problems(extending(off, '[balancer]\n'))).toEqual([
      expect.stringContaining('false (line 4) switches [balancer] (line 1 of /base/base.ini) off'),
    ]);
  });

  it.each([
    [
      'a cycle',
      '[general]\nextends = silver.ini\n',
      '/set/silver.ini:2: a file that extends itself: /set/silver.ini -> /set/silver.ini',
    ],
    ['what is missing', '[general]\nextends = gone.ini\n', '/set/silver.ini:2: /set/gone.ini does not exist'],
    [
      'what cannot be filled in',
      `[general]\nextends = \${NO}\n`,
      `/set/silver.ini:2: extends: NO is not set in the environment; \${NO:-VALUE} gives a default`,
    ],
  ])('reports %s', (_, text, expected) => expect(problems(load(text))).toEqual([expected]));
});

describe('secrets', () => {
  it('show up nowhere but in the provider of the set', () => {
    const text = `[provider]\nname = p\nusername = me\n[appserver]\nsize = id {{environ.KEY}}\nlocations = a.com blog\n[app:blog]\ndir = blog\nenv.API_TOKEN = t0ken\nkeep = \${KEY}\n`;
    const conf = `[provider:p]\nprovider = local\nsecret = \${KEY}\n`;
    const loaded = load(text, { '/home/me/.silverlining.conf': conf }, { KEY: 'hush-hush' });
    expect(problems(loaded)).toEqual(['/set/silver.ini:10: keep must be a whole number from 1 to 100, not "(secret)"']);
    expect(JSON.stringify(loaded)).not.toMatch(/hush|t0ken/);
  });

  it.each([
    [
      'a value that another one refers to',
      'env.API_TOKEN = hush-hush\nenv.DSN = https://h/?t={{section.env.API_TOKEN}}',
    ],
    ['the password of a URL', 'env.DSN = postgres://u:hush@db/x'],
    ['the password of a URL without a user', 'env.DSN = redis://:hush@h:6379/0'],
    ['a password with an @ of its own', 'env.DSN = mysql+pymysql://u:hush@hush@db/x'],
    ...['PW', 'MYSQL_PWD', 'DB_PASS', 'DB_PASSWORD', 'PASS1'].map((name) => [`env.${name}`, `env.${name} = hush`]),
  ])('are hidden: %s', (_, lines) => {
    const { set, resolved } = load(`${SITE}${lines}\n`);
    expect(JSON.stringify(set)).toContain('hush');
    expect(JSON.stringify(resolved)).not.toContain('hush');
  });

  it.each(['COMPASS = north', 'PWDX = north', 'SITE = http://h:80/x@north'])('are no other values: env.%s', (line) => {
    expect(JSON.stringify(load(`${SITE}env.${line}\n`).resolved)).toContain('north');
  });

  it('are read from secret_file, and not shown', () => {
    const files = { '/home/me/.s.txt': 'hush-hush\n' };
    const {
      set,
      problems: found,
      resolved,
    } = load(`[provider]\nsecret_file = \${HOME}/.s.txt\nusername = hush-hush\n[appserver]\n`, files);
    expect(found).toEqual([]);
    expect(set?.provider).toEqual({ driver: 'local', options: { username: 'hush-hush', secret: 'hush-hush' } });
    expect(JSON.stringify(resolved)).not.toContain('hush');
  });
});

describe('resolved options', () => {
  it('say what each option is and where it comes from', () => {
    const { resolved } = load('[general]\nname = x\n[appserver]\nnodes = 2\nnode_names = a{{n}}.{{general.name}}\n');
    const lines = resolved.map((it) => `${it.section}.${it.key} = ${it.value} (${it.origin}, ${it.line})`);
    expect(lines).toEqual([
      'general.base_domain = x.internal (default, 1)',
      'general.name = x (file, 2)',
      'general.set_etc_hosts = true (default, 1)',
      'appserver.nodes = 2 (file, 4)',
      'appserver.node_names = a{{n}}.{{general.name}} (file, 5)',
      'appserver.load_balancer = automatic (default, 3)',
    ]);
  });

  it.each([
    ['', 'set.internal set'],
    ['[general]\n', 'set.internal set'],
    ['[general]\nname = x\n', 'x.internal x'],
    ['[general]\nbase_domain = {{general.name}}.test\n', 'set.test set'],
  ])('tell the name and the domain that are not given to other values, too: %j', (general, both) => {
    const text = `${general}${SITE}env.BOTH = {{general.base_domain}} {{general.name}}\n`;
    const { set, resolved } = load(text);
    expect(set?.apps[0]?.env).toEqual({ BOTH: both });
    const said = ['base_domain', 'name'].map((key) => resolved.find((it) => it.key === key)?.value);
    expect(said.join(' ')).toBe(both);
  });
});
