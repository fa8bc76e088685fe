import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  agentNotices,
  agentRequests,
  decode,
  digest,
  ERROR_CATALOGUE,
  encode,
  encodeAround,
  lookUp,
  negotiate,
  PROTOCOL,
  parseBody,
  releasePath,
  resourceId,
  SlError,
  toSlError,
  toWireError,
  wireError,
} from './index.ts';

describe('an error without a code', () => {
  const aborted = (reason?: unknown) => {
    try {
      AbortSignal.abort(reason).throwIfAborted();
    } catch (error) {
      return toSlError(error).code;
    }
    return undefined;
  };
  it('is a defect, unless a signal ended the work: then it says so, or is what the signal says', async () => {
    expect(toSlError(new Error('x'))).toMatchObject({ code: 'E_INTERNAL', message: 'x' });
    expect(toSlError('x')).toMatchObject({ code: 'E_INTERNAL', message: 'x' });
    expect([aborted(), aborted(new SlError('E_DEADLINE', 'late'))]).toEqual(['E_ABORTED', 'E_DEADLINE']);
    const late = setTimeout(1000, undefined, { signal: AbortSignal.abort(new SlError('E_DEADLINE', 'late')) });
    expect(await late.catch(toSlError)).toMatchObject({ code: 'E_DEADLINE' });
  });
});

describe('codec', () => {
  it('round-trips an envelope', () => {
    const envelope = { v: 1 as const, id: 'a', type: 'health', body: { load: 1 } };
    expect(decode(encode(envelope))).toEqual(envelope);
    const { body, ...rest } = envelope;
    expect(decode(encodeAround(JSON.stringify(body), rest))).toEqual(envelope);
  });

  it.each([
    ['many faults', { instances: Array.from({ length: 10_000 }, () => 1) }],
    ['one in a long name', { active: { [`A${'a'.repeat(500_000)}`]: 1 } }],
  ])('says little of a frame with %s, however much it is', (_name, body) => {
    const it = decode(encode({ v: 1, id: 'a', type: 'health', body }));
    const message = expect.stringMatching(/^health: [\s\S]{10,2100}$/);
    expect(() => parseBody(agentNotices.health, it)).toThrow(expect.objectContaining({ code: 'E_FRAME', message }));
  });

  it.each([
    ['not JSON', 'x'],
    ['a thousand levels deep', '['.repeat(1000) + ']'.repeat(1000)],
    ['a hundred thousand brackets', '['.repeat(100_000)],
    ['another version', '{"v":2,"id":"a","type":"health","body":{}}'],
    ['no type', '{"v":1,"id":"a","body":{}}'],
  ])('refuses %s with E_FRAME', (_name, text) => {
    expect(() => decode(text)).toThrow(expect.objectContaining({ code: 'E_FRAME' }));
  });

  it.each(['constructor', '__proto__', 'toString', 'nope'])('knows no type called %s', (type) => {
    expect(lookUp(agentRequests, type)).toBeUndefined();
  });
});

describe('release paths', () => {
  it.each(['app/a.py', 'app/static/ü.css', 'config/db.ini', 'app/..a/b..c', 'app/.env'])('admits %s', (path) => {
    expect(releasePath.safeParse(path).success).toBe(true);
  });

  it.each([
    'a.py',
    'app',
    'app/',
    'app/../x',
    'app/./x',
    '/app/x',
    'app//x',
    'app/a\\b',
    'app/a\nb',
    'app/..',
    'app/a\u0000',
  ])('refuses %j', (path) => {
    expect(releasePath.safeParse(path).success).toBe(false);
  });
});

describe('versions', () => {
  it('takes the newest that both speak', () => {
    const { current, oldest } = PROTOCOL;
    expect(negotiate({ protocol: current, minProtocol: oldest })).toBe(current);
    expect(negotiate({ protocol: current + 1, minProtocol: current })).toBe(current);
    expect(negotiate({ protocol: current - 1, minProtocol: current - 2 })).toBe(current - 1);
  });

  it('are understood one back', () => {
    expect(PROTOCOL.oldest).toBe(PROTOCOL.current - 1);
  });

  it('names what is supported when there is none', () => {
    expect(() => negotiate({ protocol: 99, minProtocol: 98 })).toThrow(/98 to 99.*1 to 2/);
  });
});

describe('errors', () => {
  it('keep code, node and log over the wire', () => {
    const error = new SlError('E_APP_CRASHED', 'exited', { details: { node: 'app1', log: ['boom'] } });
    expect(SlError.fromWire(toWireError(error))).toMatchObject({
      code: 'E_APP_CRASHED',
      details: { node: 'app1', log: ['boom'] },
    });
  });

  it('leave out details that could not be written down', () => {
    const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    const problems = [{ file: 'silver.ini', line: 1, message: 'x', severity: 'error' }];
    const wire = wireError.parse({ code: 'E_RESOURCE', message: 'x', details: { deep, problems, log: ['boom'] } });
    expect(JSON.parse(JSON.stringify(wire)).details).toEqual({ problems, log: ['boom'] });
  });

  it('have a meaning each', () => {
    for (const meaning of Object.values(ERROR_CATALOGUE)) expect(meaning.length).toBeGreaterThan(10);
  });
});

it('names resources by type and key', () => {
  const block = resourceId({ type: 'block', path: '/etc/hosts', name: 'demo', content: '' });
  expect(block).toBe('block:/etc/hosts#demo');
});

it('digests are lower case hex', () => {
  expect(digest.safeParse('A'.repeat(64)).success).toBe(false);
});
