import type { InstanceSpec } from '@silverlining/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  candidatePorts,
  FIRST_PORT,
  holdsAll,
  instanceReports,
  missingActive,
  settlement,
  unfinishedOf,
} from './choices.ts';
import { instanceEnv, requestPath } from './instance-env.ts';
import { instanceUnitText, startCommand } from './instance-unit.ts';
import type { InstanceJournal } from './journal.ts';
import { activeMapText, instancesMapText, mapTransaction, parseShownMap } from './maps.ts';
import { instancePaths, releasePaths } from './paths.ts';
import { commandLine, environmentFile, parseEnvironmentFile } from './quoting.ts';
import { parseTrafficTable, trafficReply } from './traffic.ts';
import { crashOf, parseUnitStatus } from './unit-status.ts';

const spec: InstanceSpec = {
  app: 'blog',
  instance: 'blog.20260131_002',
  platform: 'node',
  runner: 'server.js',
  processes: 0,
  env: {},
  packages: [],
  health: { path: '/', host: 'example.com', timeout: 10 },
};
const paths = instancePaths(releasePaths(), 'blog', spec.instance);
const node = '/opt/silverlining/node';
const input = (change: Partial<InstanceSpec>) => ({ spec: { ...spec, ...change }, paths, port: 20_001, node });
const app = paths.app;

describe('environment files', () => {
  it('quote what systemd would take for something else', () => {
    expect(environmentFile({ B: 'a"b\\c$d`e', A: 'one\ntwo' })).toBe('A="one\ntwo"\nB="a\\"b\\\\c\\$d\\`e"\n');
  });

  it('hold nothing that could become another variable', () => {
    const values = fc.string({ unit: fc.constantFrom('"', '\\', '$', '`', '\n', '=', 'A', ' ', '#', "'") });
    fc.assert(
      fc.property(values, values, (one, two) => {
        expect(parseEnvironmentFile(environmentFile({ A: one, B: two }))).toEqual({ A: one, B: two });
      }),
    );
  });

  it.each([
    ['a name', { 'A B': '1' }],
    ['a NUL', { A: '\0' }],
    ['a carriage return', { A: 'a\rb' }],
  ])('refuse %s that systemd would refuse', (_what, env) => {
    expect(() => environmentFile(env)).toThrow(expect.objectContaining({ code: 'E_APP_CONFIG' }));
  });

  it('give the app what only the node knows, whatever the app says of it', () => {
    const env = instanceEnv({ ...spec, env: { PORT: '1', HOST: '0.0.0.0', GREETING: 'hi' } }, paths, 20_001);
    expect(env).toMatchObject({
      PORT: '20001',
      HOST: '127.0.0.1',
      GREETING: 'hi',
      TEMP: '/var/lib/silverlining/tmp/blog/blog.20260131_002',
      SILVER_LOGS: '/var/log/silverlining/apps/blog',
      SILVER_APP_CONFIG: '/var/lib/silverlining/releases/blog.20260131_002/config',
      SILVER_INSTANCE_NAME: 'blog.20260131_002',
    });
  });
});

describe('units', () => {
  it('run the instance as its own user, restarted, with its own files only', () => {
    const lines = instanceUnitText(input({ env: { CONFIG_FILES: '/srv/files/blog' } })).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'User=app-blog',
        `ExecStart=/opt/silverlining/node ${app}/server.js`,
        `WorkingDirectory=${app}`,
        'EnvironmentFile=/var/lib/silverlining/env/blog.20260131_002.env',
        'Restart=always',
        'NoNewPrivileges=yes',
        'ProtectSystem=strict',
        `ReadWritePaths=${paths.temp} ${paths.logs} -/srv/files/blog`,
        'WantedBy=multi-user.target',
      ]),
    );
  });

  it('start each platform in its way', () => {
    expect(startCommand(input({ platform: 'python', runner: 'main.py', processes: 3 }))).toEqual(
      expect.arrayContaining(['/usr/bin/gunicorn', '127.0.0.1:20001', '3', paths.support, 'silver_wsgi:application']),
    );
    expect(startCommand(input({ platform: 'asgi', runner: 'main.py' }))).toContain('uvicorn.workers.UvicornWorker');
    expect(
      startCommand(
        input({ platform: 'command', command: ['./bin/x', '--port=$PORT', ['$', '{PORT}'].join(''), '$PORTS'] }),
      ),
    ).toEqual([`${app}/bin/x`, '--port=20001', '20001', '$PORTS']);
    expect(startCommand(input({ platform: 'command', command: ['python3', 'x.py'] }))).toEqual(['python3', 'x.py']);
    expect(startCommand(input({ platform: 'command', command: ['node', 'x.js'] }))).toEqual([node, 'x.js']);
  });

  it('never run a program with the privileges that a prefix asks for', () => {
    expect(() => startCommand(input({ platform: 'command', command: ['+/bin/sh'] }))).toThrow('cannot run');
  });

  it('take arguments literally', () => {
    expect(commandLine(['a b', '%h', '$HOME', 'q"\\', 'x\ny'])).toBe('"a b" %%h $$HOME "q\\"\\\\" "x\\ny"');
    expect(() => commandLine(['\u0007'])).toThrow(expect.objectContaining({ code: 'E_APP_CONFIG' }));
  });

  it('say how they failed', () => {
    const block =
      'ActiveState=activating\nSubState=auto-restart\nNRestarts=0\nResult=exit-code\nExecMainCode=1\nExecMainStatus=3';
    expect(crashOf(parseUnitStatus(block))).toBe('exited with status 3');
    expect(
      crashOf(parseUnitStatus('ActiveState=active\nSubState=running\nNRestarts=0\nExecMainCode=0')),
    ).toBeUndefined();
    expect(crashOf(parseUnitStatus('ActiveState=active\nSubState=running\nNRestarts=1\nExecMainCode=0'))).toBe(
      'exited',
    );
  });
});

describe('requests to an app', () => {
  it.each([
    ['/', '/x', '/x'],
    ['/blog/', '/', '/blog/'],
    ['/a/b/', '/x?y=1', '/a/b/x?y=1'],
  ])('below %s for %s ask %s', (match, path, whole) => {
    expect(requestPath({ env: { SILVER_MATCH_PATH: match } }, path)).toBe(whole);
  });
});

describe('maps', () => {
  it('are sorted lines', () => {
    expect(
      instancesMapText(
        new Map([
          ['b.1', 20_001],
          ['a.1', 0],
        ]),
      ),
    ).toBe('a.1 static\nb.1 20001\n');
    expect(activeMapText({ shop: 'shop.2', blog: 'blog.1' })).toBe('blog blog.1\nshop shop.2\n');
  });

  it('go to HAProxy in commands that it takes, however many apps there are', () => {
    const active = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`app${i}`, `app${i}.20260131_001`]));
    const { add, commit } = mapTransaction('/etc/m', 7, active);
    expect(add.map((command) => command.split('\n').length - 2)).toEqual([100, 100, 50]);
    expect(Math.max(...add.map((command) => command.length))).toBeLessThan(16_384);
    expect(add[0]).toMatch(/^add map @7 \/etc\/m <<\napp0 app0\.20260131_001\n/);
    expect(commit).toBe('commit map @7 /etc/m');
  });

  it('come back from `show map`', () => {
    expect(parseShownMap('0x55d0 blog blog.1\n0x55d1 prev:blog blog.0\n\n')).toEqual({ blog: 'blog.1' });
  });
});

describe('traffic', () => {
  const text = `# table: silver_releases, type: string, size:10240, used:2
0x7f1: key=blog.1 use=0 exp=3599000 shard=0 gpc0=0 http_req_cnt=12 http_fail_cnt=1
0x7f2: key=blog.2 use=1 exp=3599000 shard=0 gpc0=2 http_req_cnt=5 http_fail_cnt=0
`;

  it('is read from the stick table', () => {
    expect(parseTrafficTable(text)).toEqual({
      'blog.1': { requests: 12, failed: 1, mismatched: 0 },
      'blog.2': { requests: 5, failed: 0, mismatched: 2 },
    });
  });

  it('counts what an old release got after the switch as stale, and answers of another release', () => {
    const baseline = parseTrafficTable('0x1: key=blog.1 gpc0=0 http_req_cnt=10 http_fail_cnt=1');
    expect(trafficReply(parseTrafficTable(text), baseline, { blog: 'blog.2' })).toEqual({
      releases: { 'blog.1': { requests: 12, failed: 1 }, 'blog.2': { requests: 5, failed: 0 } },
      stale: 2 + 2,
    });
  });

  it('starts from nothing when the balancer did', () => {
    const baseline = parseTrafficTable('0x1: key=blog.1 gpc0=0 http_req_cnt=100 http_fail_cnt=0');
    const now = parseTrafficTable('0x1: key=blog.1 gpc0=0 http_req_cnt=3 http_fail_cnt=0');
    expect(trafficReply(now, baseline, {}).stale).toBe(3);
  });
});

describe('choices', () => {
  const journal = (n: number, state: InstanceJournal['state']): InstanceJournal => {
    const instance = `blog.20260131_00${n}`;
    return {
      version: 1,
      instance,
      spec,
      digest: '0'.repeat(64),
      deploy: 'd',
      epoch: 1,
      port: 20_000 + n,
      state,
      hooks: {},
    };
  };
  const name = (n: number) => `blog.20260131_00${n}`;

  it('never stop or remove the active instance, and keep what is to be kept', () => {
    const journals = [journal(1, 'prepared'), journal(2, 'prepared'), journal(3, 'prepared'), journal(4, 'staging')];
    const order = { app: 'blog', keep: [name(2)], running: [] };
    expect(settlement(order, journals, { blog: name(3) })).toEqual({ stop: [name(2)], remove: [name(1)] });
    expect(settlement({ ...order, running: [name(2)] }, journals, { blog: name(3) })).toEqual({
      stop: [],
      remove: [name(1)],
    });
    expect(settlement({ ...order, app: 'other' }, journals, {})).toEqual({ stop: [], remove: [] });
  });

  it('try the lowest port that nobody has', () => {
    expect(candidatePorts([FIRST_PORT, FIRST_PORT + 2]).next().value).toBe(FIRST_PORT + 1);
  });

  it('know what of the committed map is missing here', () => {
    expect(missingActive([journal(1, 'prepared'), journal(2, 'stopped')], { blog: name(2), shop: 'shop.1' })).toEqual([
      'blog',
      'shop',
    ]);
    expect(
      instanceReports([journal(1, 'prepared'), journal(2, 'prepared')], { blog: name(2) }).map((it) => it.state),
    ).toEqual(['staged', 'active']);
  });

  it('let a node have requests when it holds what it committed to and what it has heard of', () => {
    const here = [journal(1, 'prepared')];
    const at = (epoch: number, n: number) => ({ epoch, active: { blog: name(n) } });
    const nothing = { epoch: 0, active: {} };
    expect(holdsAll(here, at(1, 1), undefined)).toBe(true);
    expect(holdsAll(here, at(2, 2), undefined)).toBe(false);
    expect(holdsAll(here, at(1, 1), at(2, 2))).toBe(false);
    expect(holdsAll([...here, journal(2, 'prepared')], at(1, 1), at(2, 2))).toBe(true);
    expect(holdsAll([], nothing, undefined)).toBe(false);
    expect(holdsAll([], nothing, nothing)).toBe(true);
  });

  it('know what is left to be stopped and removed, never what is active', () => {
    const left = new Map([
      [name(1), 'stop' as const],
      [name(2), 'remove' as const],
      [name(3), 'remove' as const],
      ['shop.20260131_001', 'stop' as const],
    ]);
    expect(unfinishedOf('blog', left, { blog: name(3) })).toEqual({ stop: [name(1)], remove: [name(2)] });
  });
});
