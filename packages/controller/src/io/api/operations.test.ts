import { type OperationEvent, SlError } from '@silverlining/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiFixture, aborted, startApiFixture } from '../../../../../test/fakes/api-fixture.ts';
import { aDeploy } from '../../../../../test/fakes/fake-service.ts';
import { OperationFailed, STOPPING } from '../../service.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await startApiFixture();
});
afterEach(() => api.close());

async function collect(events: AsyncIterable<OperationEvent>): Promise<OperationEvent[]> {
  const all: OperationEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Reads the first event, which names the operation, and leaves. */
async function startAndLeave(): Promise<string> {
  const leaving = new AbortController();
  for await (const event of api.client.operate('rollback', { set: 'shop' }, leaving.signal)) {
    leaving.abort();
    if (event.type === 'operation') return event.id;
  }
  throw new Error('no operation event came');
}

const rollBack = () => api.client.operate('rollback', { set: 'shop' });

describe('an operation', () => {
  it('streams its name, its progress and its result', async () => {
    api.service.work.rollback = async ({ emit }) => {
      emit({ status: 'started', action: 'switch', node: 'app1', text: 'switching' });
      return { deploys: [aDeploy] };
    };
    expect(await collect(rollBack())).toEqual([
      { type: 'operation', id: expect.stringMatching(/^rollback-/), kind: 'rollback', set: 'shop' },
      { type: 'progress', at: 1_769_860_000_000, status: 'started', action: 'switch', node: 'app1', text: 'switching' },
      { type: 'done', result: { deploys: [aDeploy] } },
    ]);
  });

  it('that fails keeps code, node, log and what it did', async () => {
    const error = new SlError('E_APP_CRASHED', 'blog exited', { details: { node: 'app2', log: ['Traceback'] } });
    api.service.work.rollback = () => Promise.reject(new OperationFailed(error, { deploys: [aDeploy] }));
    const details = { node: 'app2', log: ['Traceback'] };
    expect((await collect(rollBack())).at(-1)).toEqual({
      type: 'failed',
      error: { code: 'E_APP_CRASHED', message: 'blog exited', node: 'app2', details },
      result: { deploys: [aDeploy] },
    });
    expect(api.defects).toEqual([]);
  });

  it('that throws anything else is a defect, and reported as one', async () => {
    api.service.work.rollback = () => Promise.reject(new TypeError('x is undefined'));
    expect((await collect(rollBack())).at(-1)).toMatchObject({ type: 'failed', error: { code: 'E_INTERNAL' } });
    expect(api.defects).toMatchObject([{ message: 'x is undefined' }]);
  });

  it('of an earlier controller is told from the journal', async () => {
    const past: OperationEvent[] = [
      { type: 'operation', id: 'deploy-old', kind: 'deploy', set: 'shop' },
      { type: 'done', result: { deploys: [aDeploy] } },
    ];
    api.service.journal.set('deploy-old', past);
    expect(await collect(api.client.operate('attach', { operation: 'deploy-old' }))).toEqual(past);
  });

  it('ends with the error for who attaches to it while the store cannot be read', async () => {
    const id = await startAndLeave();
    api.service.recorded = () => Promise.reject(new SlError('E_STORE', 'the disk is broken'));
    const events = await collect(api.client.operate('attach', { operation: id }));
    expect(events.at(-1)).toEqual({ type: 'failed', error: expect.objectContaining({ code: 'E_STORE' }) });
  });

  it('runs on without its client, and is replayed from the beginning to who attaches', async () => {
    let finish = () => {};
    api.service.work.rollback = async ({ emit, signal }) => {
      emit({ status: 'info', action: 'stage', text: 'before' });
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      emit({ status: 'info', action: 'stage', text: `cancelled: ${signal.aborted}` });
      return {};
    };
    const id = await startAndLeave();
    const attached = [
      collect(api.client.operate('attach', { operation: id })),
      collect(api.client.operate('attach', { operation: `${id}.blog` })),
    ];
    await api.client.info();
    finish();
    const [first, second] = await Promise.all(attached);
    expect(first?.map((it) => ('text' in it ? it.text : it.type))).toEqual([
      'operation',
      'before',
      'cancelled: false',
      'done',
    ]);
    expect(second).toEqual(first);
    expect(await collect(api.client.operate('attach', { operation: id }))).toEqual(first);
  });

  it('is cancelled on request, once', async () => {
    api.service.work.rollback = async ({ signal }) => {
      await aborted(signal);
      throw signal.reason;
    };
    const id = await startAndLeave();
    expect((await api.client.info()).operations).toMatchObject([{ id, kind: 'rollback', set: 'shop' }]);
    expect(await api.client.cancel(id)).toBe(true);
    const events = await collect(api.client.operate('attach', { operation: id }));
    expect(events.at(-1)).toMatchObject({ type: 'failed', error: { code: 'E_ABORTED' } });
    expect(await api.client.cancel(id)).toBe(false);
    expect((await api.client.info()).operations).toEqual([]);
  });

  it('keeps only the newest value of a counter', async () => {
    api.service.work.rollback = async ({ emit }) => {
      for (let done = 0; done <= 1000; done += 1)
        emit({ status: 'running', action: 'stage', node: 'app1', text: 'sent', done, total: 1000 });
      return {};
    };
    const events = await collect(rollBack());
    expect(events.map((it) => ('done' in it ? it.done : it.type))).toEqual(['operation', 1000, 'done']);
  });

  it('does not wait for a client that does not read', async () => {
    const text = 'x'.repeat(100_000);
    api.service.work.rollback = async ({ emit }) => {
      for (let i = 0; i < 50; i += 1) emit({ status: 'info', action: 'stage', text });
      return {};
    };
    const slow = rollBack();
    await slow.next();
    while (api.operations.running().length > 0) await api.client.info();
    let events = 1;
    for await (const _ of slow) events += 1;
    expect(events).toBe(52);
  });

  it('is forgotten when twenty newer ones have ended', async () => {
    const id = await startAndLeave();
    for (let i = 0; i < 20; i += 1) await collect(rollBack());
    const attach = collect(api.client.operate('attach', { operation: id }));
    await expect(attach).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });
});

describe('logs', () => {
  it('stream lines to their end', async () => {
    const lines: string[] = [];
    for await (const { node, text } of api.client.logs({ set: 'shop', app: 'blog' })) lines.push(`${node} ${text}`);
    expect(lines).toEqual(['app1.shop.internal listening', 'app2.shop.internal GET / 200']);
    expect(api.service.asked).toEqual([
      { verb: 'logs', request: { set: 'shop', app: 'blog', lines: 100, follow: false } },
    ]);
  });

  it('end with the error that stopped them', async () => {
    api.service.logs$ = async ({ emit }) => {
      await emit({ node: 'app1', at: 0, source: 'blog', text: 'last words' });
      throw new SlError('E_NODE_DISCONNECTED', 'app1 is gone', { details: { node: 'app1' } });
    };
    const lines = api.client.logs({ set: 'shop' });
    expect((await lines.next()).value).toMatchObject({ text: 'last words' });
    await expect(lines.next()).rejects.toMatchObject({ code: 'E_NODE_DISCONNECTED', details: { node: 'app1' } });
  });

  it('stop when the client leaves', async () => {
    const stopped = new Promise<void>((resolve) => {
      api.service.logs$ = async ({ emit, signal }) => {
        await emit({ node: 'app1', at: 0, source: 'blog', text: 'first' });
        await aborted(signal);
        resolve();
      };
    });
    const leaving = new AbortController();
    const lines = api.client.logs({ set: 'shop', follow: true }, leaving.signal);
    await lines.next();
    leaving.abort();
    await expect(lines.next()).rejects.toMatchObject({ code: 'E_ABORTED' });
    await stopped;
  });
});

describe('the end of the API', () => {
  it('lets streams of ended operations bring out their last lines', async () => {
    await api.close();
    // That they come is tested here, not how soon.
    api = await startApiFixture({ closeGrace: 60_000 });
    api.service.work.rollback = async ({ signal }) => {
      await aborted(signal);
      return { deploys: [{ ...aDeploy, id: 'x'.repeat(1 << 20) }] };
    };
    const events = rollBack();
    await events.next();
    const stopping = api.operations.stop().then(() => api.cut());
    expect(await events.next()).toMatchObject({ value: { type: 'done' } });
    expect((await events.next()).done).toBe(true);
    await stopping;
  });

  it('cuts streams that would go on', async () => {
    const hasty = await startApiFixture({ closeGrace: 10 });
    const asked = new Promise<void>((resolve) => {
      hasty.service.logs$ = ({ signal }) => {
        resolve();
        return aborted(signal);
      };
    });
    const lines = hasty.client.logs({ set: 'shop', follow: true }).next();
    const cut = expect(lines).rejects.toMatchObject({ code: 'E_CONTROLLER', details: { reason: 'ECONNRESET' } });
    await asked;
    await hasty.close();
    await cut;
  });
});

describe('shutdown', () => {
  it('is refused while an operation runs, unless forced', async () => {
    api.service.work.rollback = ({ signal }) => aborted(signal);
    const id = await startAndLeave();
    await expect(api.client.shutdown()).rejects.toMatchObject({ code: 'E_BUSY', details: { operation: id } });
    expect(api.shutdowns).toBe(0);
    await api.client.shutdown(true);
    await expect.poll(() => api.shutdowns).toBe(1);
  });

  it('lets no operation begin that it would have to cut off', async () => {
    await api.client.shutdown();
    const stopping = { code: 'E_CONTROLLER', details: { reason: STOPPING } };
    await expect(collect(rollBack())).rejects.toMatchObject(stopping);
    expect(api.operations.running()).toEqual([]);
  });
});
