import { SlError } from '@silverlining/protocol';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  addBalancer,
  clock,
  commit,
  failing,
  fleet,
  SET,
  settler,
  store,
  switched,
  useSettling,
} from '../../../../test/fakes/settling.ts';
import { AILING, CALM } from '../core/release/watch.ts';
import { ASK_AGAIN } from './settler.ts';

const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];

useSettling();

let healthy: boolean;
const serving = () => ({ ...switched(), apps: [{ app: 'blog', instance: NEW, healthy, run: 'a' }] });

beforeEach(async () => {
  healthy = true;
  fleet.connect('app1', { serving, settle: () => ({ stopped: [], removed: [] }) });
  await commit(OLD);
});

const deployNew = () => settler.during(SET, () => commit(NEW, { previous: OLD, watching: true }));
const isWatched = async () => (await store.deploy(NEW))?.record.watching === true;
async function seconds(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await clock.advance(1000);
}

describe('while a balancer is away', () => {
  beforeEach(async () => {
    await addBalancer();
    fleet.drop('balancer');
  });

  it('what was switched to is taken back when it has failed', async () => {
    await deployNew();
    await seconds(2);
    healthy = false;
    await seconds(AILING);
    expect(failing.map((it) => it.error.code)).toEqual(['E_APP_UNHEALTHY']);
    // Nor does it settle by itself what is being taken back.
    fleet.connect('balancer', { switch: switched });
    await seconds(2 * (ASK_AGAIN / 1000));
    expect(fleet.bodies('switch')).toEqual([]);
    expect(fleet.bodies('settle')).toEqual([]);
  });

  it('what was switched to is trusted when it was calm, and the old release stays up', async () => {
    await deployNew();
    await seconds(CALM / 1000);
    expect(await isWatched()).toBe(false);
    await seconds(10 * (ASK_AGAIN / 1000));
    expect(fleet.bodies('settle')).toEqual([]);
  });
});

describe('when the store could not be written', () => {
  it('watching and settling are tried again', async () => {
    await deployNew();
    const full = new SlError('E_STORE', 'the disk is full');
    const put = vi.spyOn(store, 'putDeploy').mockRejectedValueOnce(full);
    await seconds(CALM / 1000);
    expect(put).toHaveBeenCalledOnce();
    expect(await isWatched()).toBe(true);
    await seconds((ASK_AGAIN + CALM) / 1000);
    expect(await isWatched()).toBe(false);
    expect(fleet.bodies('settle')).toEqual([{ app: 'blog', keep: [NEW, OLD], running: [NEW] }]);
  });
});
