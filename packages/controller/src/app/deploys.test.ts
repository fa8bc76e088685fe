import { beforeEach, describe, expect, it } from 'vitest';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { deploy, serverSet } from '../io/store/contract-records.ts';
import type { DeployRow, Store } from '../ports.ts';
import { deploys } from './deploys.ts';
import { recordDrained } from './drained.ts';

const SET = 'shop';
const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

let store: Store;
beforeEach(async () => {
  store = memoryStore();
  await store.putSet(SET, serverSet(SET));
});

async function journal(id: string, startedAt: number, changes: Partial<DeployRow['record']> = {}): Promise<void> {
  const row = deploy(SET, id, NEW, { state: 'ended', startedAt });
  await store.putDeploy({ ...row, record: { ...row.record, outcome: 'done', previous: OLD, ...changes } });
}

const named = async (id?: string, running = new Map()) =>
  (await deploys({ store, running }, { set: SET, id })).deploys.map((it) => it.id);

describe('deploys', () => {
  beforeEach(async () => {
    await journal('deploy-AbcD.blog', 1);
    await journal('deploy-AbcD.blog-x', 1);
    await journal('up-Abc.blog', 2);
    await journal('deploy-Axx.blog', 3);
  });

  it('are all there, the newest first', async () => {
    expect(await named()).toEqual(['deploy-Axx.blog', 'up-Abc.blog', 'deploy-AbcD.blog', 'deploy-AbcD.blog-x']);
  });

  it.each([
    ['deploy-AbcD.blog', ['deploy-AbcD.blog']],
    ['deploy-AbcD', ['deploy-AbcD.blog', 'deploy-AbcD.blog-x']],
    ['deploy-Ab', ['deploy-AbcD.blog', 'deploy-AbcD.blog-x']],
    ['deploy-AbcD.blog-', ['deploy-AbcD.blog-x']],
    ['up', ['up-Abc.blog']],
  ])('are named by id or its beginning: %s', async (id, found) => {
    expect(await named(id)).toEqual(found);
  });

  it('are not guessed at', async () => {
    await expect(named('deploy-A')).rejects.toMatchObject({ code: 'E_USAGE', message: /deploy-Axx, deploy-AbcD;/ });
    await expect(named('nope')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  });

  it('that run are shown as they are now', async () => {
    const { record } = deploy(SET, 'up-Abc.blog', NEW);
    const running = new Map([['up-Abc.blog', () => ({ ...record, ms: { ...record.ms, total: 77 } })]]);
    expect((await deploys({ store, running }, { set: SET, id: 'up' })).deploys[0]?.ms.total).toBe(77);
  });
});

describe('what was stopped after a switch', () => {
  const drained = [{ node: 'app1', app: 'blog', stopped: [OLD], at: 10_500 }];
  const events = async (id: string) => (await store.deploy(id))?.record.timeline ?? [];

  it('is noted in the newest deploy that took its place', async () => {
    await journal('d1.blog', 100);
    await journal('d2.blog', 500);
    await recordDrained(store, SET, [...drained, { node: 'app2', app: 'blog', stopped: [OLD], at: 10_600 }]);
    expect(await events('d1.blog')).toEqual([]);
    expect(await events('d2.blog')).toEqual([
      { node: 'app1', event: 'drained', ms: 10_000 },
      { node: 'app2', event: 'drained', ms: 10_100 },
    ]);
  });

  it('is itself what was switched back', async () => {
    await journal('d1.blog', 500, { outcome: 'rolled-back' });
    await recordDrained(store, SET, drained);
    expect(await events('d1.blog')).toEqual([]);
    await recordDrained(store, SET, [{ node: 'app1', app: 'blog', stopped: [NEW], at: 10_500 }]);
    expect(await events('d1.blog')).toHaveLength(1);
  });
});
