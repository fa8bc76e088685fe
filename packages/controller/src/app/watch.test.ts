import type { ActiveMap, DeployRecord, ReplyBody } from '@silverlining/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { idle, ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { CALM } from '../core/release/watch.ts';
import { deploy, nodeRecord, release, serverSet } from '../io/store/contract-records.ts';
import type { DeployRow, Store } from '../ports.ts';
import { OperationFailed } from '../service.ts';
import { NO_VERDICT, waitForVerdict } from './verdict.ts';
import { watchSet } from './watch.ts';

const SET = 'shop';
const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];
const ID = 'deploy-1.blog';

let store: Store;
let fleet: FakeFleet;
let clock: ManualClock;
let run: string;

const answer = (): ReplyBody<'serving'> => ({
  ...{ epoch: 2, active: { blog: NEW }, instances: [] },
  apps: [{ app: 'blog', instance: NEW, healthy: true, run, log: ['out of cheese'] }],
});

beforeEach(async () => {
  [store, fleet, clock, run] = [memoryStore(), new FakeFleet(), new ManualClock(), 'a'];
  await store.putSet(SET, serverSet(SET));
  await store.putNode(nodeRecord(SET, 'app1', { roles: ['appserver'] }));
  fleet.connect('app1', { serving: answer });
  const { lease } = await store.acquireLease(SET, 'test', 'deploy-1', clock.now());
  await store.putRelease(release(SET, NEW, { createdAt: clock.now() }));
  const row = deploy(SET, ID, NEW, { startedAt: clock.now() });
  await store.putDeploy(row);
  await store.commit({ set: SET, token: lease.token, active: { blog: NEW }, deploys: [ID], now: clock.now() });
  const record = { ...row.record, previous: OLD, outcome: 'done' as const, watching: true as const };
  await store.putDeploy({ ...row, state: 'ended', record });
});

const watching = () => watchSet({ store, fleet, clock }, SET, new AbortController().signal);
async function seconds(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await clock.advance(1000);
}

describe('after a switch', () => {
  it('what stays calm is trusted, and the record no longer says that it is watched', async () => {
    const end = watching();
    await seconds(CALM / 1000);
    expect(await end).toBeUndefined();
    expect((await store.deploy(ID))?.record).not.toHaveProperty('watching');
  });

  it('what somebody takes back meanwhile is not said to be good', async () => {
    const end = watching();
    await seconds(1);
    await store.changeDeploys(SET, (rows) => rows.map((row) => ({ ...row, state: 'committed' })));
    await seconds(CALM / 1000);
    expect(await end).toBeUndefined();
    expect(await store.deploy(ID)).toMatchObject({ state: 'committed', record: { watching: true } });
  });

  it('what crashes again and again is to be taken back, with its last words', async () => {
    const end = watching();
    await seconds(2);
    run = 'b';
    await seconds(5);
    run = 'c';
    await seconds(2);
    const failing = await end;
    expect(failing?.rows.map((it) => it.id)).toEqual([ID]);
    expect(failing?.error).toMatchObject({
      code: 'E_APP_CRASHED',
      node: 'app1.shop.internal',
      message: /2 more times/,
    });
    expect(failing?.error.details?.log).toEqual(['out of cheese']);
  });

  it.each(['aborted', 'rolled-back'] as const)(
    'what serves is watched on when a later deploy was %s',
    async (outcome) => {
      const later = deploy(SET, 'deploy-2.blog', 'blog.20260131_003', { state: 'ended', startedAt: clock.now() + 1 });
      await store.putDeploy({ ...later, record: { ...later.record, outcome } });
      const end = watching();
      await seconds(2);
      run = 'b';
      await seconds(2);
      run = 'c';
      await seconds(CALM / 1000);
      expect((await end)?.rows.map((it) => it.id)).toEqual([ID]);
    },
  );

  it('what was live for long without anybody watching stays', async () => {
    await clock.advance(3_600_000);
    const end = watching();
    await seconds(CALM / 1000);
    expect(await end).toBeUndefined();
    expect(fleet.bodies('serving')).toEqual([]);
  });
});

describe('an operation that waits for the verdict', () => {
  const op = { operationId: 'deploy-1', signal: new AbortController().signal, emit: () => undefined };
  const wait = async (watch: boolean) => {
    const deploys = [(await store.deploy(ID))?.record].flatMap((it) => it ?? []);
    return waitForVerdict({ store, clock })({ watch, set: SET }, op, async () => ({ deploys }));
  };
  const end = async (changes: object) => {
    const row = await store.deploy(ID);
    if (row !== undefined)
      await store.putDeploy({ ...row, record: { ...row.record, watching: undefined, ...changes } });
  };

  const unchanged = (app: string): DeployRecord => {
    const { record } = deploy(SET, `deploy-2.${app}`, NEW);
    return { ...record, app, outcome: 'unchanged' };
  };

  it('ends at once unless it is to wait', async () => {
    expect((await wait(false)).deploys[0]).toMatchObject({ outcome: 'done', watching: true });
  });

  it('fails when another controller has taken the release back, or is about to, before it ended', async () => {
    const row = (await store.deploy(ID)) as DeployRow;
    const work = (written: Partial<DeployRow>, active: ActiveMap) => async () => {
      await store.putDeploy({ ...row, ...written });
      const { lease } = await store.acquireLease(SET, 'another', 'op', clock.now());
      await store.commit({ set: SET, token: lease.token, active, deploys: [], now: clock.now() });
      await store.releaseLease(SET, lease.token);
      return { deploys: [row.record] };
    };
    const operate = waitForVerdict({ store, clock });
    const back = operate({ set: SET }, op, work({ state: 'committed' }, { blog: OLD }));
    await expect(back).rejects.toMatchObject({
      error: { code: 'E_SWITCH' },
      result: { deploys: [{ outcome: 'rolled-back' }] },
    });
    const error = { code: 'E_APP_CRASHED' as const, message: 'again' };
    const gone = operate(
      { set: SET },
      op,
      work({ record: { ...row.record, outcome: 'rolled-back', error } }, { blog: OLD }),
    );
    await expect(gone).rejects.toMatchObject({ error: { code: 'E_APP_CRASHED' } });
  });

  it('ends well when the release is trusted', async () => {
    const ended = wait(true);
    await idle();
    await end({});
    await clock.advance(500);
    expect((await ended).deploys[0]?.outcome).toBe('done');
  });

  it.each([
    ['a deploy that left the app as it was', { set: SET }, [unchanged('blog')]],
    ['an up that had nothing to deploy', { set: SET, whole: true }, []],
  ])('waits in %s, and fails when that was rolled back', async (_what, about, deploys) => {
    const ended = waitForVerdict({ store, clock })({ ...about, watch: true }, op, async () => ({ deploys })).catch(
      (error: unknown) => error,
    );
    await idle();
    await end({ outcome: 'rolled-back', error: { code: 'E_APP_CRASHED', message: 'again' } });
    await clock.advance(500);
    const result = { deploys: [{ id: ID, outcome: 'rolled-back' }] };
    expect(await ended).toMatchObject({ error: { code: 'E_APP_CRASHED' }, result });
  });

  it('ends with the app unchanged when what it left was trusted, and does not wait for other apps', async () => {
    const work = (app: string) => async () => ({ deploys: [unchanged(app)] });
    const operate = waitForVerdict({ store, clock });
    expect(await operate({ set: SET, watch: true }, op, work('news'))).toEqual(await work('news')());
    const ended = operate({ set: SET, watch: true }, op, work('blog'));
    await idle();
    await end({});
    await clock.advance(500);
    expect(await ended).toEqual(await work('blog')());
  });

  it('fails with the record when nobody decides', async () => {
    const ended = wait(true).catch((error: unknown) => error);
    await idle();
    await clock.advance(NO_VERDICT);
    const failed = await ended;
    expect(failed).toBeInstanceOf(OperationFailed);
    expect(failed).toMatchObject({
      error: { code: 'E_DEADLINE', message: expect.stringContaining('nobody has decided yet') },
      result: { deploys: [{ outcome: 'done', watching: true }] },
    });
  });

  it('fails with the record when it was rolled back', async () => {
    const ended = wait(true).catch((error: unknown) => error);
    await idle();
    await end({ outcome: 'rolled-back', error: { code: 'E_APP_CRASHED', message: 'again' } });
    await clock.advance(500);
    const failed = await ended;
    expect(failed).toBeInstanceOf(OperationFailed);
    expect(failed).toMatchObject({
      error: { code: 'E_APP_CRASHED' },
      result: { deploys: [{ outcome: 'rolled-back' }] },
    });
  });
});
