import { SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { deploy, release, serverSet } from '../io/store/contract-records.ts';
import type { Store } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { withLease } from './lease.ts';

const SET = 'shop';
const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

let store: Store;
let clock: ManualClock;

beforeEach(async () => {
  [store, clock] = [memoryStore(), new ManualClock()];
  await store.putSet(SET, serverSet(SET));
});

function under(operationId: string, work: (token: number) => Promise<unknown>): Promise<unknown> {
  const log = { info: () => undefined, warn: () => undefined };
  const op = { operationId, signal: new AbortController().signal, emit: () => undefined };
  const deps = { store, clock, log } as Partial<ControllerDeps> as ControllerDeps;
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
});
