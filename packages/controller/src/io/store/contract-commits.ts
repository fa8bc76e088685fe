/** What every `Store` must do with commits and epochs. */
import { expect, it } from 'vitest';
import type { Store } from '../../ports.ts';
import { deploy, release, serverSet } from './contract-records.ts';

export const FIRST = 'blog.20260131_001';
export const SECOND = 'blog.20260131_002';
export const UNCOMMITTED = { epoch: 0, heardEpoch: 0, committed: false };

/** A set with one release, committed under a lease with token 1 at 5000. */
export async function commitFirst(store: Store): Promise<number> {
  await store.putSet('demo', serverSet('demo'));
  await store.putRelease(release('demo', FIRST));
  await store.putDeploy(deploy('demo', 'd1', FIRST));
  const { lease } = await store.acquireLease('demo', 'ada', 'op1', 1000);
  return store.commit({ set: 'demo', token: lease.token, active: { blog: FIRST }, deploys: ['d1'], now: 5000 });
}

export function epochTests(store: () => Store): void {
  it('go on above what an agent has, whatever was heard before', async () => {
    await commitFirst(store());
    for (const heard of [7, 3]) await store().hearEpoch('demo', heard);
    const row = { epoch: 1, heardEpoch: 7, committed: true, active: { blog: FIRST } };
    expect(await store().set('demo')).toMatchObject(row);
    const again = { set: 'demo', token: 1, active: { blog: FIRST }, deploys: [], now: 6000 };
    expect(await store().commit(again)).toBe(8);
    expect(await store().commit(again)).toBe(9);
  });

  it('are heard for a set that was just made, and for no other', async () => {
    await store().putSet('demo', serverSet('demo'));
    await store().hearEpoch('demo', 7);
    await store().hearEpoch('nope', 7);
    expect(await store().set('demo')).toMatchObject({ epoch: 0, heardEpoch: 7, committed: false });
    expect(await store().putSet('nope', serverSet('nope'))).toMatchObject(UNCOMMITTED);
  });
}

export function commitTests(store: () => Store): void {
  it('raises the epoch and marks deploys and the releases that became active', async () => {
    expect(await commitFirst(store())).toBe(1);
    expect(await store().set('demo')).toMatchObject({ epoch: 1, active: { blog: FIRST } });
    expect(await store().deploy('d1')).toMatchObject({ state: 'committed' });
    await store().putRelease(release('demo', SECOND, { app: 'shop' }));
    const both = { blog: FIRST, shop: SECOND };
    expect(await store().commit({ set: 'demo', token: 1, active: both, deploys: ['d1'], now: 6000 })).toBe(2);
    expect(await store().release('demo', FIRST)).toMatchObject({ committedAt: 5000 });
    expect(await store().release('demo', SECOND)).toMatchObject({ committedAt: 6000 });
  });

  it('is later than those before it, whatever the clock says', async () => {
    await commitFirst(store());
    await store().putRelease(release('demo', SECOND));
    await store().commit({ set: 'demo', token: 1, active: { blog: SECOND }, deploys: [], now: 3000 });
    expect(await store().release('demo', SECOND)).toMatchObject({ committedAt: 5001 });
  });

  it.each([
    ['a lease that somebody else took since', { token: 1 }, 'E_CONFLICT'],
    ['a token that was never given', { token: 3 }, 'E_CONFLICT'],
    ['a deploy that ended', { deploys: ['d2', 'ended'] }, 'E_CONFLICT'],
    ['a deploy that was never journalled', { deploys: ['d2', 'nope'] }, 'E_CONFLICT'],
    ['a deploy of another set', { deploys: ['d2', 'other'] }, 'E_CONFLICT'],
  ])('changes nothing for %s', async (_name, changes, code) => {
    await commitFirst(store());
    await store().releaseLease('demo', 1);
    await store().acquireLease('demo', 'bob', 'op2', 2000);
    await store().putSet('other', serverSet('other'));
    await store().putDeploy(deploy('other', 'other', SECOND));
    await store().putDeploy(deploy('demo', 'd2', SECOND));
    await store().putDeploy(deploy('demo', 'ended', SECOND, { state: 'ended' }));
    await store().putRelease(release('demo', SECOND));
    const decision = { set: 'demo', token: 2, active: { blog: SECOND }, deploys: ['d2'], now: 6000, ...changes };
    await expect(store().commit(decision)).rejects.toMatchObject({ code });
    expect(await store().set('demo')).toMatchObject({ epoch: 1, active: { blog: FIRST } });
    expect(await store().deploy('d2')).toMatchObject({ state: 'staging' });
    expect(await store().release('demo', SECOND)).toMatchObject({ committedAt: undefined });
  });

  it('refuses one without a lease, and one for a set that is gone', async () => {
    await commitFirst(store());
    const decision = { set: 'demo', token: 1, active: {}, deploys: [], now: 6000 };
    await store().deleteSet('demo');
    await expect(store().commit(decision)).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await store().dropLeases();
    await expect(store().commit(decision)).rejects.toMatchObject({ code: 'E_CONFLICT' });
  });
}
