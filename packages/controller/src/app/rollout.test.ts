import { SlError, type WantedNode } from '@silverlining/protocol';
import { beforeEach, expect, it, vi } from 'vitest';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import type { DeployRow } from '../ports.ts';
import { deploy } from './deploy.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const full = new SlError('E_STORE', 'the disk is full');

let small: SmallSet;
beforeEach(async () => {
  small = new SmallSet();
  await small.add(APP1);
  await small.up([APP1]);
});

/** Of a new version, whose end cannot be written. */
function deployUnrecorded(): Promise<unknown> {
  const { putDeploy } = small.store;
  vi.spyOn(small.store, 'putDeploy').mockImplementation(async (row: DeployRow) => {
    if (row.state === 'ended') throw full;
    await putDeploy(row);
  });
  small.version++;
  const op = { ...operation(), operationId: 'deploy-two' };
  return small.passing(deploy(small.deps, op, { set: setOf([APP1]), apps: [] }));
}

it('a deploy whose end cannot be written says that it is live', async () => {
  const message = 'the disk is full. What was deployed is live all the same';
  await expect(deployUnrecorded()).rejects.toMatchObject({ code: 'E_STORE', message, cause: full });
  expect((await small.store.set(SET))?.active).toEqual({ blog: 'blog.19700101_002' });
});

it('one that was aborted says that nothing was switched, and why', async () => {
  small.crashing.add('app1');
  const message = 'the disk is full. Nothing was switched: it exited with 1';
  await expect(deployUnrecorded()).rejects.toMatchObject({ code: 'E_STORE', message });
});
