import { describe, expect, it } from 'vitest';
import { memoryConfigFiles } from '../../../../../test/fakes/memory-config-files.ts';
import { KNOWN } from './known.ts';
import { loadServerSet } from './load.ts';
import { formatProblem } from './problem.ts';

const SET = '[appserver]\nlocations = a.com blog\n[app:blog]\ndir = blog\n[service:mysql]\n';
const START = '[production]\napp_name = blog\n';
/** What the release of the app holds. */
const RELEASE = {
  main: 'main.py',
  server: 'server.js',
  serve: 'serve',
  install: 'bin/install.sh',
  settings: 'conf/a.ini',
};

function load(appIni: string | undefined, set = SET) {
  const files = Object.fromEntries(Object.values(RELEASE).map((path) => [`/set/blog/${path}`, '']));
  const ini = appIni === undefined ? {} : { '/set/blog/app.ini': appIni };
  const loaded = loadServerSet('/set/silver.ini', {
    files: memoryConfigFiles({ '/set/silver.ini': set, ...files, ...ini }),
    env: { HOME: '/home/me' },
    home: '/home/me',
    known: KNOWN,
  });
  return { app: loaded.set?.apps[0], set: loaded.set, name: loaded.name, problems: loaded.problems.map(formatProblem) };
}

describe('app.ini', () => {
  it('that is broken leaves the set its name, and what is wrong with the set does not', () => {
    expect(load('[production')).toMatchObject({ set: undefined, name: 'set' });
    expect(load('[production', `[general\n${SET}`)).toMatchObject({ set: undefined, name: undefined });
    expect(load(undefined, `${SET}[general]\nnam = x\n`)).toMatchObject({ set: undefined, name: undefined });
  });

  it('is read with all its keys', () => {
    const { app, problems } = load(`${START}runner = ./main.py#app.wsgi
platform = python
update_fetch = /update?all=1
    script:bin/migrate --to "the end"
service.mysql =
packages = python3-pymysql libjpeg62
    fonts-dejavu
package_install_script = bin/install.sh
after_install_script = bin/install.sh
config.required = true
config.default = conf
config.template = conf
config.checker = bin/check --strict
`);
    expect(problems).toEqual([]);
    expect(app).toMatchObject({
      platform: 'python',
      runner: 'main.py#app.wsgi',
      updateFetch: [
        { kind: 'path', path: '/update?all=1' },
        { kind: 'script', argv: ['bin/migrate', '--to', 'the end'] },
      ],
      services: { mysql: '' },
      packages: ['python3-pymysql', 'libjpeg62', 'fonts-dejavu'],
      packageInstallScript: 'bin/install.sh',
      afterInstallScript: 'bin/install.sh',
      config: '/set/blog/conf',
      configChecker: ['bin/check', '--strict'],
    });
  });

  it.each([
    ['runner = main.py', { platform: 'python', runner: 'main.py' }],
    ['runner = server.js', { platform: 'node', runner: 'server.js' }],
    [
      `command = ./serve --port \${PORT} "$PORT" '{{n}}'`,
      { platform: 'command', command: ['./serve', '--port', '$PORT', '$PORT', '{{n}}'] },
    ],
    ['command = ruby main.rb', { platform: 'command', command: ['ruby', 'main.rb'] }],
    ['command = /opt/bin/serve', { platform: 'command', command: ['/opt/bin/serve'] }],
    [
      'command = venv/bin/serve\npackage_install_script = bin/install.sh',
      { platform: 'command', command: ['venv/bin/serve'] },
    ],
    ['', { platform: 'static' }],
    ['platform = static', { platform: 'static' }],
  ])('tells the platform by %j', (line, expected) => {
    const { app, problems } = load(`${START}${line}\n`);
    expect(problems).toEqual([]);
    expect(app).toMatchObject(expected);
  });

  it('gives an app without a location its default_location', () => {
    const { set, problems } = load(`${START}default_location = http://b.com/blog\n`, SET.replace('a.com blog', ''));
    expect(problems).toEqual([]);
    expect(set?.locations).toEqual([{ host: 'b.com', path: '/blog/', app: 'blog' }]);
  });

  it.each([
    ['', 'app.ini: missing app_name'],
    ['[production]\n', 'app.ini: missing app_name'],
    ['[production]\napp_name =\n', 'app.ini:2: missing app_name'],
    [
      '[production]\napp_name = my blog\n',
      'app.ini:2: invalid app name "my blog": must be 1 to 40 lower case letters, digits, - and _, a letter first',
    ],
    [
      `[production]\napp_name = ${'a'.repeat(300)}\n`,
      `app.ini:2: invalid app name "${'a'.repeat(57)}...": must be 1 to 40 lower case letters, digits, - and _, a letter first`,
    ],
    [`${START}\nupdate_fech = /x`, 'app.ini:4: unknown key; did you mean update_fetch?'],
    [
      `${START}update_fetch = http://169.254.169.254/`,
      'app.ini:3: update_fetch must be a path on this app, or script:COMMAND, not "http://169.254.169.254/"',
    ],
    [
      `${START}update_fetch = //169.254.169.254/`,
      'app.ini:3: update_fetch must be a path on this app, or script:COMMAND, not "//169.254.169.254/"',
    ],
    [
      `${START}update_fetch = /ok\n  /a b HTTP/1.1`,
      'app.ini:4: update_fetch must be a path on this app, or script:COMMAND, not "/a b HTTP/1.1"',
    ],
    [`${START}update_fetch = script:`, 'app.ini:3: update_fetch script: takes a command, its quotes closed'],
    [`${START}runner = /etc/passwd`, 'app.ini:3: "/etc/passwd" is outside the release'],
    [`${START}runner = a/../../main.py`, 'app.ini:3: "a/../../main.py" is outside the release'],
    [`${START}runner = ~/main.py`, 'app.ini:3: "~/main.py" is outside the release'],
    [
      `${START}runner = ma in.py`,
      'app.ini:3: invalid path "ma in.py": letters, digits and _ @ + = ~ . , - between slashes',
    ],
    [`${START}runner = other.py`, 'app.ini:3: /set/blog has no file other.py'],
    [
      `${START}runner = main.rb`,
      'app.ini:3: runner must end in .py, .js, .mjs, .cjs, .ts or .mts, not "main.rb"; for anything else use command',
    ],
    [`${START}runner = main.py#a b`, 'app.ini:3: #a b is not the name of a Python object'],
    [`${START}runner = server.js#x`, 'app.ini:3: only a .py runner takes an #object'],
    [
      `${START}runner = conf/a.ini#main`,
      'app.ini:3: Paste runners (.ini) are not supported yet; name a .py file that has the WSGI application',
    ],
    [
      `${START}runner = main.py\ncommand = x`,
      'app.ini:4: runner (line 3) and command (line 4) are both given; an app has one',
    ],
    [`${START}command = a "b`, 'app.ini:3: a quote in command is not closed'],
    [`${START}command =`, 'app.ini:3: command is empty'],
    [`${START}command = bin/serv --port $PORT`, 'app.ini:3: /set/blog has no file bin/serv'],
    [`${START}command = ../serve`, 'app.ini:3: "../serve" is outside the release'],
    [`${START}platform = pyton`, 'app.ini:3: unknown platform "pyton"; did you mean python?'],
    [
      `${START}platform = php`,
      'app.ini:3: platform php is not supported yet; there are: command, node, python, static',
    ],
    [
      `${START}php_root = web`,
      'app.ini:3: platform php is not supported yet; there are: command, node, python, static',
    ],
    [`${START}platform = python`, 'app.ini:3: platform python takes a runner that ends in .py'],
    [
      `${START}platform = node\nrunner = main.py`,
      'app.ini:3: platform node takes a runner that ends in .js, .mjs, .cjs, .ts or .mts',
    ],
    [
      `${START}packages = ok -o=x`,
      'app.ini:3: invalid package name "-o=x": must be lower case letters, digits, + - and ., no - last',
    ],
    [
      `${START}packages = g++ openssh-server-`,
      'app.ini:3: invalid package name "openssh-server-": must be lower case letters, digits, + - and ., no - last',
    ],
    [`${START}after_install_script = ../x`, 'app.ini:3: "../x" is outside the release'],
    [
      `${START}default_location = a b`,
      'app.ini:3: invalid hostname "a b": letters, digits, hyphens and dots; .example.com for all hosts below, * for any',
    ],
    [`${START}service.redis =`, 'app.ini:3: service redis is not supported yet; known: mysql'],
    [`${START}service.constructor =`, 'app.ini:3: service constructor is not supported yet; known: mysql'],
    [`${START}config.required = maybe`, 'app.ini:3: config.required must be true or false, not "maybe"'],
    [`${START}config.checker = "a`, 'app.ini:3: config.checker takes a command, its quotes closed'],
    [`${START}[devel]\n`, 'app.ini:3: unknown section; app.ini has one, [production]'],
    ['app_name = blog\n', 'app.ini:1: app_name stands before the first [section]'],
  ])('answers %j', (text, expected) => {
    const { problems, set } = load(text);
    expect(problems).toContain(`/set/blog/${expected}`);
    expect(set).toBeUndefined();
  });

  it('must exist', () => {
    expect(load(undefined).problems).toEqual(['/set/silver.ini:4: /set/blog/app.ini does not exist']);
  });

  it('names both files when the set lacks a service', () => {
    expect(load(`${START}service.mysql = x\n`, SET.replace('[service:mysql]', '')).problems).toEqual([
      '/set/blog/app.ini:3: /set/silver.ini has no [service:mysql] for service.mysql; add the section there',
    ]);
  });

  it('names both files when a configuration is required and not given', () => {
    expect(load(`${START}config.required = true\n`).problems).toEqual([
      '/set/silver.ini:3: app blog needs a configuration (/set/blog/app.ini:3): add config = DIRECTORY',
    ]);
  });

  it('warns when the app is called something else, and when nothing reaches it', () => {
    const { problems, set } = load('[production]\napp_name = weblog\n', SET.replace('a.com blog', ''));
    expect(problems).toEqual([
      '/set/silver.ini:3: warning: no location names app blog, so nothing reaches it',
      '/set/blog/app.ini:2: warning: app_name weblog is not the name of [app:blog] (/set/silver.ini:3), which is the one used',
    ]);
    expect(set?.apps[0]?.name).toBe('blog');
  });
});
