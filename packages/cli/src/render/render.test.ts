import { SlError } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { aDeploy, aPlan, aStatus } from '../../../../test/fakes/fake-service.ts';
import { daemonLogLine } from './daemon-log.ts';
import { errorLines } from './error.ts';
import { type Paint, painter, plain } from './paint.ts';
import { planLines } from './plan.ts';
import { readResult, resultLines } from './result.ts';
import { statusLines } from './status.ts';
import { bytes, clean, clock, cut, dateTime, duration, grouped, table } from './text.ts';

const tagged: Paint = (style, text) => `<${style}>${text}</>`;

describe('text', () => {
  it('of unknown origin cannot act on the terminal', () => {
    expect(clean('\u001b[31mred\u001b[0m \u001b]0;title\u0007a\u001bcb\r\nc\u009b2Jd\te')).toBe('red acb c2Jd\te');
  });

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_200, '1.2 kB'],
    [999_600, '1.0 MB'],
    [92_000_000, '92 MB'],
    [5e15, '5000 TB'],
  ])('%d bytes', (n, text) => expect(bytes(n)).toBe(text));

  it('groups digits as English does', () => {
    for (const n of [0, 7, 999, 1000, 10_000, 123_456, 1_234_567]) expect(grouped(n)).toBe(n.toLocaleString('en'));
  });

  it.each([
    [12.4, '12 ms'],
    [840, '0.8 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min 0 s'],
    [185_000, '3 min 5 s'],
    [7_800_000, '2 h 10 min'],
    [4 * 86_400_000, '4 days'],
  ])('%d milliseconds', (ms, text) => expect(duration(ms)).toBe(text));

  it('in columns is padded, the last one is not', () => {
    expect(
      table([
        ['a', 'long', 'x'],
        ['bbb', 'c', ''],
      ]),
    ).toEqual(['a    long  x', 'bbb  c']);
  });

  it('in columns cannot act on the terminal either', () => {
    expect(
      table([
        ['a\u001b[2Jb', 'c'],
        ['d\ne', '\u001b]0;title\u0007f'],
      ]),
    ).toEqual(['ab   c', 'd e  f']);
  });

  it('too long is cut', () => {
    expect([cut('four', 4), cut('fives', 4)]).toEqual(['four', 'fiv…']);
  });

  it('is coloured only where colours are wanted', () => {
    expect([painter(true)('red', 'x'), painter(false)('red', 'x')]).toEqual(['\u001b[31mx\u001b[39m', 'x']);
  });
});

describe('a plan', () => {
  it('shows a line for each step', () => {
    expect(planLines(aPlan, plain)).toEqual([
      'shop: 2 nodes, 2 changes',
      '  + create app2.shop.internal',
      '  ~ deploy blog: 1 of 10,000 files changed',
    ]);
  });

  it('shows nodes that have to go, which the file no longer has', () => {
    const steps = [
      { action: 'destroy-node' as const, node: 'app9.shop.internal', summary: 'destroy app9.shop.internal' },
    ];
    expect(planLines({ ...aPlan, steps, changes: 1 }, tagged).at(-1)).toBe('  <red>-</> destroy app9.shop.internal');
  });

  it('warns of a set that another file made', () => {
    expect(planLines({ ...aPlan, formerFile: '/srv/other/silver.ini' }, plain).slice(0, 2)).toEqual([
      'warning: shop was brought up from /srv/other/silver.ini before; if that is another project, give one of them a name of its own (name in [general])',
      'shop: 2 nodes, 2 changes',
    ]);
  });

  it('without steps says so', () => {
    expect(planLines({ ...aPlan, steps: [], changes: 0 }, plain)).toEqual([
      'shop: 2 nodes, 0 changes; everything is as the file says',
    ]);
  });
});

describe('a result', () => {
  it('of up names deploys, changes, time and sites', () => {
    const sites = [
      { url: 'http://shop.example/', app: 'blog', address: '192.0.2.10' },
      { url: 'http://shop.example/admin/', app: 'admin', address: '192.0.2.10' },
    ];
    const requests = {
      releases: { a: { requests: 30, failed: 0 }, b: { requests: 12, failed: 0 } },
      failed: 0,
      stale: 0,
    };
    const result = readResult({ set: 'shop', changes: 3, deploys: [{ ...aDeploy, requests }], sites });
    expect(resultLines(result, 4_200, plain)).toEqual([
      'blog: blog.20260131_002 is active (before: blog.20260131_001)',
      '  1 of 10,000 files sent (1.2 kB), staged in 0.6 s, switched in 12 ms, 0.8 s in all',
      '  42 requests around the switch: 0 failed, 0 of the old release after it',
      'shop: 3 changes in 4.2 s',
      '  http://shop.example/        blog   192.0.2.10',
      '  http://shop.example/admin/  admin  192.0.2.10',
    ]);
  });

  it('of a deploy that was given up says what is active', () => {
    const deploys = [
      { ...aDeploy, outcome: 'aborted' },
      { ...aDeploy, outcome: 'aborted', previous: null },
    ];
    expect(resultLines(readResult({ deploys }), undefined, plain)).toEqual([
      'blog: blog.20260131_002 was given up: blog.20260131_001 is active as before',
      'blog: blog.20260131_002 was given up: nothing is active',
    ]);
  });

  it('shows failed and stale requests in red', () => {
    const requests = { releases: { a: { requests: 30, failed: 2 } }, failed: 2, stale: 1 };
    const lines = resultLines(
      readResult({ deploys: [{ ...aDeploy, outcome: 'rolled-back', requests }] }),
      undefined,
      tagged,
    );
    expect(lines.at(-1)).toBe('  <red>30 requests around the switch: 2 failed, 1 of the old release after it</>');
  });

  it('of down names what is gone, and one that is not understood is empty', () => {
    const kept = readResult({ set: 'shop', destroyed: ['a'], keepsMachines: true });
    expect(resultLines(kept, 1, plain)).toEqual(['handed back 1 node: a']);
    expect(resultLines(readResult({ set: 'shop', destroyed: ['a', 'b'] }), 1, plain)).toEqual([
      'destroyed 2 nodes: a, b',
    ]);
    expect(readResult('?')).toEqual({ deploys: [], sites: [] });
  });
});

describe('status', () => {
  it('shows nodes, reasons and apps', () => {
    const lines = statusLines(aStatus, 1_769_860_105_000, plain);
    expect(lines).toEqual([
      'shop: generation 4; controller 0.1.0, pid 4711, up 1 min 45 s',
      '',
      'NODE                STATE    ADDRESS     ROLES      GENERATION  LOAD  MEMORY         DISK           SEEN',
      'app1.shop.internal  healthy  192.0.2.11  appserver  4           0.25  105 MB/268 MB  1.1 GB/8.6 GB  5 s ago',
      'app2.shop.internal  down     -           appserver  -           -     -              -              never',
      '  app2.shop.internal: silent for 40 s',
      '',
      'blog: blog.20260131_002  shop.example/',
      '  app1.shop.internal  blog.20260131_002  active',
    ]);
    expect(statusLines(aStatus, 0, tagged).join('\n')).toContain('<red>down</>');
  });
});

describe('an error', () => {
  it('shows message, node, code, the log’s last lines and what to do', () => {
    const details = { node: 'app2', log: ['Traceback:', '\u001b[1mKeyError'] };
    const error = new SlError('E_NODE_DISCONNECTED', 'it went away', { details });
    expect(errorLines(error, false, plain)).toEqual([
      'error: app2: it went away [E_NODE_DISCONNECTED]',
      '  | Traceback:',
      '  | KeyError',
      'sl status shows which nodes answer',
    ]);
  });

  it('of the file lists every problem with file and line', () => {
    const problems = [
      { file: '/srv/silver.ini', line: 3, message: 'unknown key "nods": did you mean nodes?', severity: 'error' },
      { file: '/srv/silver.ini', line: 0, message: 'no locations', severity: 'warning' },
    ];
    expect(errorLines(new SlError('E_CONFIG', 'x', { details: { problems } }), false, plain)).toEqual([
      '/srv/silver.ini:3: unknown key "nods": did you mean nodes?',
      '/srv/silver.ini: warning: no locations',
      '1 error, 1 warning',
    ]);
  });

  it('is shown though what a node sends along is not what it should be', () => {
    const details = { problems: [{ file: 1, line: 'x', message: 2, severity: 3 }], log: 4 };
    expect(
      errorLines(SlError.fromWire({ code: 'E_RESOURCE', message: 'x', details: Object(details) }), false, plain),
    ).toEqual(['error: x [E_RESOURCE]']);
  });

  it('shows stacks of all causes when asked to', () => {
    const error = new SlError('E_STORE', 'cannot be written', { cause: new Error('ENOSPC') });
    const lines = errorLines(error, true, plain).join('\n');
    expect(lines).toMatch(/SlError: cannot be written\n\s+at /);
    expect(lines).toMatch(/caused by Error: ENOSPC\n\s+at /);
  });
});

describe('the controller’s log', () => {
  it('is readable, whatever is in it', () => {
    const line = JSON.stringify({
      level: 50,
      time: 1_769_860_000_000,
      pid: 1,
      msg: 'a request failed',
      url: '/v1/up',
      n: 2,
    });
    expect(daemonLogLine(line, plain)).toBe(`${dateTime(1_769_860_000_000)} error a request failed url=/v1/up n=2`);
    const time = '2026-01-31T11:46:40.000Z';
    expect(daemonLogLine(JSON.stringify({ level: 40, time, msg: 'slow' }), plain)).toBe(
      `${dateTime(Date.parse(time))} warn slow`,
    );
    expect(daemonLogLine('{"half', plain)).toBe('{"half');
    expect(clock(1_769_860_000_000)).toMatch(/^\d\d:\d\d:40$/);
  });
});
