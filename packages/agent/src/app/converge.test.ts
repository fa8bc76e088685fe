import type { Notification, Resource } from '@silverlining/protocol';
import { resource, SlError } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import type { Due } from '../core/converge/notifications.ts';
import type { Applied, ConvergeHost, Executor, Executors, StateFile } from '../ports.ts';
import { applyResources, checkResources } from './converge.ts';

const check = ['apache2ctl', 'configtest'];
const reload: Notification = { unit: 'apache2.service', action: 'reload', check };

/** A node of which each resource differs when its id is in `differing`; everything that is done is written down. */
function fakeNode(differing: string[], broken: { apply?: string; check?: boolean; act?: boolean } = {}) {
  const done: string[] = [];
  let stored: Due[] = [];
  const due: StateFile<Due[]> = {
    read: async () => stored,
    async write(value) {
      stored = value;
    },
  };
  const executor: Executor<'file'> & Executor<'unit'> = {
    check: async (it: Resource) => (differing.includes(nameOf(it)) ? 'differs' : undefined),
    async apply(it: Resource): Promise<Applied> {
      const name = nameOf(it);
      if (broken.apply === name) throw new SlError('E_RESOURCE', 'no', { details: { log: ['last line'] } });
      done.push(`apply ${name}`);
      if ('name' in it) return { settled: it.name };
      return { undo: async () => void done.push(`undo ${name}`) };
    },
  };
  const executors = new Proxy({} as Executors, { get: () => executor });
  const host: ConvergeHost = {
    putBack: async () => [],
    open: () => ({
      executors,
      keepOriginals: async () => undefined,
      reloadDaemon: async () => void done.push('daemon-reload'),
      async check(argv) {
        done.push(argv.join(' '));
        if (broken.check) throw new SlError('E_RESOURCE', 'syntax error', { details: { log: ['line 1'] } });
      },
      async act(unit, action) {
        done.push(`${action} ${unit}`);
        if (broken.act) throw new SlError('E_RESOURCE', 'did not reload');
      },
    }),
  };
  return { done, due, host, stored: () => stored };
}

function nameOf(it: Resource): string {
  return it.type === 'file' ? it.path : 'name' in it ? it.name : it.type;
}

const file = (path: string, notify?: Notification[]) =>
  resource.parse({ type: 'file', path, content: '', ...(notify === undefined ? {} : { notify }) });
const unit = (name: string) => resource.parse({ type: 'unit', name, enabled: true, running: true });
const context = { signal: new AbortController().signal, say: () => undefined };

describe('applyResources', () => {
  it('changes what differs, in order, and reloads once at the end', async () => {
    const node = fakeNode(['/a', '/b']);
    const reports = await applyResources([file('/a', [reload]), file('/b', [reload]), file('/c')], node, context);
    expect(reports.map((it) => it.status)).toEqual(['changed', 'changed', 'ok']);
    expect(node.done).toEqual([
      'apply /a',
      'apply /b',
      'daemon-reload',
      'apache2ctl configtest',
      'reload apache2.service',
    ]);
    expect(node.stored()).toEqual([]);
  });

  it('asks for nothing when nothing differs', async () => {
    const node = fakeNode([]);
    await applyResources([file('/a', [reload])], node, context);
    expect(node.done).toEqual(['daemon-reload']);
  });

  it('skips the rest after a failure and keeps what is due for the next run', async () => {
    const node = fakeNode(['/a', '/b'], { apply: '/b' });
    const reports = await applyResources([file('/a', [reload]), file('/b'), file('/c')], node, context);
    expect(reports).toEqual([
      { id: 'file:/a', status: 'changed', detail: 'differs' },
      { id: 'file:/b', status: 'failed', detail: 'no', log: ['last line'] },
      { id: 'file:/c', status: 'skipped' },
    ]);
    expect(node.done).toEqual(['apply /a']);
    expect(node.stored()).toEqual([{ notification: reload, by: ['file:/a'] }]);
  });

  it('does what an earlier run left due', async () => {
    const node = fakeNode([]);
    await node.due.write([{ notification: reload, by: ['file:/a'] }]);
    await applyResources([file('/a', [reload])], node, context);
    expect(node.done).toContain('reload apache2.service');
    expect(node.stored()).toEqual([]);
  });

  it('restarts what holds the port of a unit before that one starts, and nothing that is not in place yet', async () => {
    const restart: Notification = { unit: 'apache2.service', action: 'restart' };
    const later: Notification = { unit: 'mariadb.service', action: 'restart' };
    const mine: Notification = { unit: 'haproxy.service', action: 'reload' };
    const node = fakeNode(['/ports', '/haproxy', 'haproxy.service', '/mariadb']);
    await node.due.write([{ notification: later, by: ['file:/mariadb'] }]);
    const all = [
      file('/ports', [restart]),
      file('/haproxy', [mine]),
      unit('haproxy.service'),
      file('/mariadb', [later]),
    ];
    await applyResources(all, node, context);
    expect(node.done).toEqual([
      ...['apply /ports', 'apply /haproxy', 'daemon-reload', 'restart apache2.service', 'apply haproxy.service'],
      ...['apply /mariadb', 'daemon-reload', 'restart mariadb.service'],
    ]);
  });

  it('does not start a unit when what holds its port does not restart', async () => {
    const node = fakeNode(['/a', 'haproxy.service'], { act: true });
    const reports = await applyResources([file('/a', [reload]), unit('haproxy.service')], node, context);
    expect(reports.map((it) => it.status)).toEqual(['failed', 'skipped']);
    expect(node.stored()).toEqual([{ notification: reload, by: ['file:/a'] }]);
  });

  it('does nothing more with a unit that it ended, whatever an earlier run left due', async () => {
    const former = resource.parse({ type: 'former-unit', name: 'apache2.service', mark: '/etc/site' });
    const node = fakeNode(['apache2.service']);
    await node.due.write([{ notification: reload, by: ['file:/a'] }]);
    await applyResources([former], node, context);
    expect(node.done).toEqual(['apply apache2.service', 'daemon-reload']);
    expect(node.stored()).toEqual([]);
  });

  it('puts back what a failed check is about, newest first, and reloads nothing', async () => {
    const node = fakeNode(['/a', '/b'], { check: true });
    const reports = await applyResources([file('/a', [reload]), file('/b', [reload])], node, context);
    expect(node.done.slice(-3)).toEqual(['undo /b', 'undo /a', 'daemon-reload']);
    expect(reports[0]).toEqual({
      id: 'file:/a',
      status: 'failed',
      detail: 'syntax error; what was there before is back',
      log: ['line 1'],
    });
    expect(node.stored()).toEqual([]);
  });

  it('keeps due what an earlier run changed when its check fails, and not what it put back itself', async () => {
    const broken = { check: true };
    const node = fakeNode(['/b'], broken);
    await node.due.write([{ notification: reload, by: ['file:/a'] }]);
    const files = [file('/a', [reload]), file('/b', [reload])];
    const reports = await applyResources(files, node, context);
    expect(reports.map((it) => it.detail)).toEqual(['syntax error', 'syntax error; what was there before is back']);
    expect(node.stored()).toEqual([{ notification: reload, by: ['file:/a'] }]);
    broken.check = false;
    await applyResources(files, node, context);
    expect(node.done).toContain('reload apache2.service');
    expect(node.stored()).toEqual([]);
  });

  it('keeps due what an earlier run changed when it puts back a second change of the same', async () => {
    const node = fakeNode(['/a'], { check: true });
    await node.due.write([{ notification: reload, by: ['file:/a'] }]);
    await applyResources([file('/a', [reload])], node, context);
    expect(node.done).toContain('undo /a');
    expect(node.stored()).toEqual([{ notification: reload, by: ['file:/a'] }]);
  });

  it('keeps a reload due that failed', async () => {
    const node = fakeNode(['/a'], { act: true });
    const reports = await applyResources([file('/a', [reload])], node, context);
    expect(reports).toMatchObject([{ status: 'failed', detail: 'did not reload' }]);
    expect(node.stored()).toEqual([{ notification: reload, by: ['file:/a'] }]);
  });

  it('does not restart a unit that it started after the change', async () => {
    const node = fakeNode(['/a', 'apache2.service']);
    await applyResources([file('/a', [reload]), unit('apache2.service')], node, context);
    expect(node.done).toEqual(['apply /a', 'apply apache2.service', 'daemon-reload']);
  });

  it('stops when it is cancelled', async () => {
    const node = fakeNode(['/a']);
    const signal = AbortSignal.abort(new SlError('E_ABORTED', 'cancelled'));
    await expect(applyResources([file('/a')], node, { ...context, signal })).rejects.toMatchObject({
      code: 'E_ABORTED',
    });
    expect(node.done).toEqual([]);
  });
});

describe('checkResources', () => {
  it('says what would change and touches nothing', async () => {
    const node = fakeNode(['/b'], { apply: '/b' });
    const reports = await checkResources([file('/a', [reload]), file('/b', [reload])], node, context);
    expect(reports.map((it) => it.status)).toEqual(['ok', 'changed']);
    expect(node.done).toEqual([]);
    expect(node.stored()).toEqual([]);
  });
});
