import type { InstanceSpec } from '@silverlining/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instanceEnv, requestPath } from './instance-env.ts';
import { instanceUnitText, startCommand } from './instance-unit.ts';
import { instancePaths, releasePaths } from './paths.ts';
import { commandLine, environmentFile, parseEnvironmentFile } from './quoting.ts';
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
