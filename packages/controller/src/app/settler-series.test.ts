import { SlError } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { idle } from '../../../../test/fakes/manual-clock.ts';
import {
  addBalancer,
  clock,
  commit,
  fleet,
  SET,
  settler,
  store,
  useSettling,
} from '../../../../test/fakes/settling.ts';
import { CALM as DRAIN } from '../core/release/watch.ts';
import { deploy } from '../io/store/contract-records.ts';

useSettling();

describe('a series of operations that leaves no time for a drain', () => {
  const nth = (n: number) => `blog.20260131_${String(n).padStart(3, '0')}`;
  const running = () => fleet.bodies('settle').map((it) => it.running);
  /** Each takes a second, and is watched from then on. */
  const deployAll = async (from: number, to: number): Promise<void> => {
    for (let n = from; n <= to; n++) {
      const previous = n === 1 ? null : nth(n - 1);
      await settler.during(SET, () => commit(nth(n), { previous, watching: true }));
    }
  };

  it('has what had its drain settled now and then, and nothing that served later', async () => {
    await deployAll(1, 2);
    await idle();
    expect(running()).toEqual([]);
    await deployAll(3, 30);
    await idle();
    expect(running()).toHaveLength(10);
    for (const [i, kept] of running().entries()) {
      // After operation 3, 6, 9, ...: each ended a second after the one before.
      const last = 3 * (i + 1);
      expect(kept).toContain(nth(last));
      // Those that were switched from within the drain, too.
      expect(kept.length).toBeLessThanOrEqual(DRAIN / 1000 + 2);
      if (last > DRAIN / 1000 + 1) expect(kept).not.toContain(nth(last - DRAIN / 1000 - 1));
    }
    await clock.advance(DRAIN);
    expect(running().at(-1)).toEqual([nth(30)]);
  });

  it('keeps what it may have to go back to', async () => {
    await deployAll(1, 2);
    for (let n = 0; n < 30; n++) await settler.during(SET, () => clock.advance(1_000));
    expect(running().length).toBeGreaterThan(5);
    for (const kept of running()) expect(kept).toEqual(expect.arrayContaining([nth(1), nth(2)]));
  });

  it('keeps it also where what came later was given up', async () => {
    await deployAll(1, 2);
    for (let n = 3; n < 30; n++) {
      await settler.during(SET, async () => {
        await store.putDeploy(deploy(SET, nth(n), nth(n), { state: 'ended', startedAt: clock.now() }));
        await clock.advance(1_000);
      });
    }
    expect(running().length).toBeGreaterThan(5);
    for (const kept of running()) expect(kept).toEqual(expect.arrayContaining([nth(1), nth(2)]));
  });

  it('no longer watches what it could not go back from', async () => {
    await deployAll(1, 2);
    await settler.during(SET, async () => {
      await clock.advance(2 * DRAIN);
      await commit(nth(3), { previous: nth(2), watching: true });
    });
    await idle();
    expect(running()).toEqual([[nth(3), nth(2)]]);
    const watched = (await store.deploys(SET)).filter((it) => it.record.watching);
    expect(watched.map((it) => it.instance)).toEqual([nth(3)]);
  });

  it('settles nothing as long as a balancer has not confirmed the map', async () => {
    await addBalancer(() => {
      throw new SlError('E_SWITCH', 'HAProxy does not run');
    });
    await deployAll(1, 30);
    expect(running()).toEqual([]);
  });

  it('watches what was switched to as well where a node could not be settled', async () => {
    const settle = () => Promise.reject(new SlError('E_INTERNAL', 'systemd does not answer'));
    fleet.connect('app1', { settle, serving: () => ({ apps: [] }) });
    await deployAll(1, 3);
    await clock.advance(2_000);
    expect(running()).toHaveLength(1);
    expect(fleet.bodies('serving').length).toBeGreaterThan(0);
  });

  it('has the next one wait for that', async () => {
    let answer: (it: unknown) => void = () => undefined;
    fleet.connect('app1', { settle: () => new Promise((resolve) => (answer = resolve)) });
    await deployAll(1, 3);
    await idle();
    let done = false;
    const next = settler.during(SET, async () => {
      done = true;
    });
    await idle();
    expect([running().length, done]).toEqual([1, false]);
    answer({ stopped: [], removed: [] });
    await next;
    expect(done).toBe(true);
  });
});
