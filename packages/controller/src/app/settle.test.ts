import { expect, it } from 'vitest';
import {
  addBalancer,
  clock,
  commit,
  fleet,
  SET,
  settler,
  store,
  switched,
  useSettling,
} from '../../../../test/fakes/settling.ts';
import { CALM } from '../core/release/watch.ts';
import { nodeRecord, serverSet } from '../io/store/contract-records.ts';

const INSTANCE = 'blog.20260131_001';

useSettling();

it('a set under which nothing was ever committed takes nothing from nodes that serve something from before it', async () => {
  // What served under the name, or another one, until then had the higher epoch.
  for (let i = 0; i < 9; i++) await commit(INSTANCE);
  await store.deleteSet(SET);
  await store.putSet(SET, serverSet(SET));
  expect(await store.set(SET)).toMatchObject({ epoch: 9, committed: false });
  await store.putNode(nodeRecord(SET, 'app1', { roles: ['appserver'] }));
  await addBalancer();
  const instances = [{ app: 'blog', instance: INSTANCE, state: 'active' as const, digest: 'd'.repeat(64) }];
  const hello = { epoch: 4, active: { blog: INSTANCE }, instances };
  fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) }, hello);
  fleet.connect('balancer', { switch: switched }, hello);
  await settler.during(SET, async () => undefined);
  await clock.advance(2 * CALM);
  expect(fleet.asked).toEqual([]);
});

it('a clock that is set back keeps nothing from being settled', async () => {
  fleet.now = clock.monotonic();
  fleet.connect('app1', { settle: () => ({ stopped: [], removed: [] }) });
  await addBalancer();
  clock.set(-24 * 3_600_000);
  await settler.during(SET, () => commit(INSTANCE));
  await clock.advance(2 * CALM);
  expect(fleet.bodies('settle')).toHaveLength(1);
});

it('an app that the file has no more keeps what can be gone back to for as long as it is live', async () => {
  await commit(INSTANCE);
  await store.putSet(SET, { ...serverSet(SET), apps: [] });
  const next = 'blog.20260131_002';
  await settler.during(SET, () => commit(next));
  await clock.advance(CALM);
  expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: [next, INSTANCE], running: [next] }]);
  await settler.during(SET, async () => {
    const { lease } = await store.acquireLease(SET, 'test', 'up-1', clock.now());
    await store.commit({ set: SET, token: lease.token, active: {}, deploys: [], now: clock.now() });
  });
  await clock.advance(CALM);
  expect(fleet.bodies('settle').at(-1)).toEqual({ app: 'blog', keep: [], running: [] });
});
