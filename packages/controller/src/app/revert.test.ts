import { SlError, type WantedNode } from '@silverlining/protocol';
import { beforeEach, expect, it, vi } from 'vitest';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { deploy } from './deploy.ts';
import { recordedOperation } from './deploys.ts';
import { revert } from './revert.ts';
import { rollback } from './rollback.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const BALANCER: WantedNode = { name: 'balancer', roles: ['balancer'] };
const [FIRST, SECOND, THIRD] = ['blog.19700101_001', 'blog.19700101_002', 'blog.19700101_003'];
const error = { code: 'E_APP_CRASHED', message: 'it crashes again and again', retryable: false } as const;

let small: SmallSet;
beforeEach(() => {
  small = new SmallSet();
});

/** The operation `id` brings a new version. */
async function deployAs(id: string): Promise<void> {
  const nodes = small.fleet.session('balancer') === undefined ? [APP1] : [APP1, BALANCER];
  const op = { ...operation(), operationId: id };
  small.version++;
  await small.passing(deploy(small.deps, op, { set: setOf(nodes), apps: [] }));
}

async function takeBack(id: string): Promise<void> {
  const rows = (await small.store.deploys(SET)).filter((it) => it.id.startsWith(id));
  await small.passing(revert(small.deps, SET, { rows, error }));
}

it('who attaches to a deploy that is being taken back is not told that it is done', async () => {
  let goOn: (() => void) | undefined;
  let isHeld = false;
  await small.add(APP1);
  await small.add(BALANCER, {
    switch: async ({ epoch }) => {
      if (isHeld) await new Promise<void>((resolve) => (goOn = resolve));
      return { epoch, at: 1 };
    },
  });
  await small.up([APP1, BALANCER]);
  await deployAs('deploy-two');
  isHeld = true;
  const back = takeBack('deploy-two');
  await vi.waitFor(async () => expect((await small.store.set(SET))?.active).toEqual({ blog: FIRST }));
  const attached = await recordedOperation(small.deps, 'deploy-two');
  expect(attached?.at(-1)).toMatchObject({ type: 'failed', error: { code: 'E_SWITCH' } });
  isHeld = false;
  goOn?.();
  await back;
});

it('what happened before a deploy was taken back is told with what happened then', async () => {
  await small.add(APP1);
  await small.up([APP1]);
  await deployAs('deploy-two');
  await takeBack('deploy-two');
  const row = await small.store.deploy('deploy-two.blog');
  expect(row?.record.outcome).toBe('rolled-back');
  const events = row?.record.timeline?.map(({ event }) => event);
  expect(events).toEqual(expect.arrayContaining(['staged', 'committed', 'committed back']));
});

it('a release that was taken back is none to go back to, also where the store failed in between', async () => {
  let isBad = false;
  let active: Record<string, string> = {};
  await small.add(APP1, {
    switch: (body) => {
      active = body.active;
      return { epoch: body.epoch, at: 1 };
    },
    serving: () => ({
      ...{ epoch: 0, active },
      instances: [FIRST, SECOND, THIRD].map((instance) => ({ app: 'blog', instance, state: 'staged', digest: '' })),
      apps: [{ app: 'blog', instance: active.blog ?? '', healthy: !(isBad && active.blog === THIRD) }],
    }),
  });
  await small.up([APP1]);
  await deployAs('deploy-two');
  isBad = true;
  vi.spyOn(small.store, 'deleteReleases').mockRejectedValueOnce(new SlError('E_STORE', 'the disk is full'));
  await expect(deployAs('deploy-three')).rejects.toThrow();
  const back = await small.passing(
    rollback(small.deps, { ...operation(), operationId: 'rollback-four' }, { set: SET }),
  );
  expect(back.deploys).toMatchObject([{ previous: SECOND, instance: FIRST, outcome: 'done' }]);
});

it('nothing is taken back to what no node runs any more', async () => {
  await small.add(APP1);
  await small.up([APP1]);
  await deployAs('deploy-two');
  small.lose('app1');
  // Brings what is live.
  await small.up([APP1]);
  small.done.length = 0;
  await takeBack('deploy-two');
  expect(small.done).toEqual([]);
  expect((await small.store.set(SET))?.active).toEqual({ blog: SECOND });
  const [row] = (await small.store.deploys(SET)).filter((it) => it.id.startsWith('deploy-two'));
  expect(row?.record).toMatchObject({ outcome: 'done', error: { message: expect.stringContaining('crashes') } });
});
