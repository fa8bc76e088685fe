import { describe, expect, it } from 'vitest';
import { cursorOf, logLineOf } from './journal-line.ts';

const entry = (changes: object) =>
  JSON.stringify({
    __CURSOR: 's=1',
    __REALTIME_TIMESTAMP: '1795358441336000',
    _SYSTEMD_UNIT: 'silver-app-blog.20260101_001.service',
    MESSAGE: 'hello',
    ...changes,
  });

describe('logLineOf', () => {
  it('names the instance or the agent', () => {
    const line = { node: 'app1', at: 1795358441336, source: 'blog.20260101_001', text: 'hello' };
    expect(logLineOf(entry({}), 'app1', undefined)).toEqual(line);
    expect(logLineOf(entry({}), 'app1', 'blog')).toEqual(line);
    expect(logLineOf(entry({ _SYSTEMD_UNIT: 'silver-agent.service' }), 'app1', undefined)?.source).toBe('agent');
  });

  it('shows what systemd says of them, such as that one was killed; of what others say the unit is who says it', () => {
    const about = { UNIT: 'silver-app-blog.20260101_001.service', MESSAGE: 'Main process exited, code=killed' };
    const line = { source: 'blog.20260101_001', text: 'Main process exited, code=killed' };
    expect(logLineOf(entry({ ...about, _SYSTEMD_UNIT: 'init.scope' }), 'app1', 'blog')).toMatchObject(line);
    expect(logLineOf(entry({ ...about, _SYSTEMD_UNIT: undefined }), 'app1', 'blog')).toMatchObject(line);
    expect(logLineOf(entry({ ...about, _SYSTEMD_UNIT: 'ssh.service' }), 'app1', undefined)).toBeUndefined();
    expect(logLineOf(entry({ UNIT: 'silver-agent.service' }), 'app1', undefined)).toMatchObject({ text: 'hello' });
  });

  it('leaves out other apps and other units', () => {
    expect(logLineOf(entry({}), 'app1', 'blo')).toBeUndefined();
    expect(logLineOf(entry({ _SYSTEMD_UNIT: 'silver-agent.service' }), 'app1', 'blog')).toBeUndefined();
    expect(logLineOf(entry({ _SYSTEMD_UNIT: 'ssh.service' }), 'app1', undefined)).toBeUndefined();
    expect(logLineOf('not json', 'app1', undefined)).toBeUndefined();
  });

  it('shows what it can of messages that are no text', () => {
    expect(logLineOf(entry({ MESSAGE: [104, 105, 255] }), 'app1', undefined)?.text).toBe('hi?');
    expect(logLineOf(entry({ MESSAGE: null }), 'app1', undefined)?.text).toContain('too large');
  });

  it('knows its position', () => {
    expect(cursorOf(entry({}))).toBe('s=1');
    expect(cursorOf('{}')).toBeUndefined();
  });
});
