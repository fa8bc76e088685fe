import { SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { idle, ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { deploy, release, serverSet } from '../io/store/contract-records.ts';
import type { Store } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { BEAT, SILENCE, withLease } from './lease.ts';

const SET = 'shop';
const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

let store: Store;
let clock: ManualClock;
/** Operations of the controller at hand that hold a lease. */
let held: Set<string>;

beforeEach(async () => {
  [store, clock, held] = [memoryStore(), new ManualClock(), new Set()];
  await store.putSet(SET, serverSet(SET));
});

function under(operationId: string, work: (token: number) => Promise<unknown>): Promise<unknown> {
  const log = { info: () => undefined, warn: () => undefined };
  const op = { operationId, signal: new AbortController().signal, emit: () => undefined };
  const deps = { store, clock, log, held } as Partial<ControllerDeps> as ControllerDeps;
  return withLease(deps, op, { set: SET, holder: 'sl deploy' }, work);
}

const commit = (token: number, instance: string, deploys: string[]) =>
  store.commit({ set: SET, token, active: { blog: instance }, deploys, now: 1000 });

describe('the lease', () => {
  it('lets one in at a time, and says how to follow it', async () => {
    await under('deploy-1', async () => {
      await expect(under('deploy-2', async () => 'in')).rejects.toMatchObject({ code: 'E_BUSY' });
    });
    expect(await under('deploy-2', async () => 'in')).toBe('in');
  });

  it('is not taken for that of another controller by who asks at the same time', async () => {
    const [first, second] = await Promise.allSettled(['deploy-1', 'deploy-2'].map((id) => under(id, async () => 'in')));
    expect(first).toMatchObject({ status: 'fulfilled' });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'E_BUSY' } });
  });

  it('is given back in the end when the store could not take it, and the result stands', async () => {
    const { releaseLease } = store;
    store.releaseLease = () => Promise.reject(new SlError('E_STORE', 'the disk is full'));
    expect(await under('deploy-1', async () => 'done')).toBe('done');
    await clock.advance(1000);
    await expect(under('deploy-2', async () => 'in')).rejects.toMatchObject({ code: 'E_BUSY' });
    store.releaseLease = releaseLease;
    await clock.advance(1000);
    expect(await under('deploy-2', async () => 'in')).toBe('in');
  });

  it('ends a deploy whose end could not be written, before the next one commits', async () => {
    await store.putRelease(release(SET, NEW, { createdAt: 1000 }));
    await under('deploy-1', async (token) => {
      await store.putDeploy(deploy(SET, 'deploy-1.blog', NEW));
      await commit(token, NEW, ['deploy-1.blog']);
    });
    await under('rollback-2', (token) => commit(token, OLD, []));
    expect(await store.deploy('deploy-1.blog')).toMatchObject({ state: 'ended', record: { outcome: 'done' } });
    expect(await store.release(SET, NEW)).toBeDefined();
  });

  it('is given back when the end of its deploys is written, where the operation could not write it', async () => {
    await store.putRelease(release(SET, NEW, { createdAt: 1000 }));
    const { putDeploy } = store;
    const full = new SlError('E_STORE', 'the disk is full');
    const failed = under('deploy-1', async () => {
      await store.putDeploy(deploy(SET, 'deploy-1.blog', NEW));
      store.putDeploy = () => Promise.reject(full);
      throw full;
    });
    await expect(failed).rejects.toBe(full);
    expect(await store.deploy('deploy-1.blog')).toMatchObject({ state: 'staging' });
    store.putDeploy = putDeploy;
    await clock.advance(1000);
    expect(await store.deploy('deploy-1.blog')).toMatchObject({ state: 'ended', record: { outcome: 'aborted' } });
    expect(await under('deploy-2', async () => 'in')).toBe('in');
  });

  it('is taken over from a controller that gives no sign of life', async () => {
    await store.putRelease(release(SET, NEW, { createdAt: 1000 }));
    const { lease } = await store.acquireLease(SET, 'sl deploy', 'deploy-1', 1000);
    await store.putDeploy(deploy(SET, 'deploy-1.blog', NEW));
    const second = under('deploy-2', async (token) => token);
    await clock.advance(SILENCE);
    expect(await second).toBe(lease.token + 1);
    expect(await store.deploy('deploy-1.blog')).toMatchObject({ state: 'ended', record: { outcome: 'aborted' } });
    await expect(commit(lease.token, NEW, [])).rejects.toMatchObject({ code: 'E_CONFLICT' });
  });

  it('is not taken over from one that is at work, and says who that is and since when', async () => {
    let finish = () => {};
    const work = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const first = under('deploy-1', () => work);
    await idle();
    held = new Set();
    const second = under('deploy-2', async () => 'in').catch((error: unknown) => error);
    for (let passed = 0; passed < SILENCE; passed += BEAT) await clock.advance(BEAT);
    expect(await second).toMatchObject({
      code: 'E_BUSY',
      message: expect.stringContaining('sl deploy is running on shop'),
    });
    finish();
    await first;
  });
});
