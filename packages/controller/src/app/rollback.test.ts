import type { DeployResult, WantedNode } from '@silverlining/protocol';
import { beforeEach, expect, it } from 'vitest';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { deploy } from './deploy.ts';
import { rollback } from './rollback.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const [FIRST, SECOND] = ['blog.19700101_001', 'blog.19700101_002'];
const MINUTE = 60_000;

let small: SmallSet;
beforeEach(async () => {
  small = new SmallSet();
  await small.add(APP1);
  await small.up([APP1]);
});

async function deployAs(operationId: string): Promise<string | undefined> {
  small.version++;
  const work = deploy(small.deps, { ...operation(), operationId }, { set: setOf([APP1]), apps: [] });
  return instanceIn(await small.passing(work));
}

const instanceIn = ({ deploys: [first] }: DeployResult) => first?.instance;

it('says until when a release was live that others followed, one of which was switched to again since', async () => {
  const deployed: number[] = [];
  for (const operationId of ['deploy-2', 'deploy-3']) {
    await small.clock.advance(MINUTE);
    await deployAs(operationId);
    deployed.push(small.clock.now());
  }
  const texts: (string | undefined)[] = [];
  const back = (operationId: string, to: string) => {
    const op = operation(({ action, text }) => action === 'rollback' && texts.push(text));
    return small.passing(rollback(small.deps, { ...op, operationId }, { set: SET, to }));
  };
  await back('rollback-1', SECOND);
  await small.clock.advance(MINUTE);
  await back('rollback-2', FIRST);
  const until = new Date(deployed[0] ?? 0).toISOString().slice(0, 16).replace('T', ' ');
  expect(texts[1]).toContain(`going back to ${FIRST}`);
  expect(texts[1]).toContain(` until ${until}`);
});

it('goes back to what was live before, also where the clock was set back meanwhile', async () => {
  await deployAs('deploy-1');
  small.clock.set(-24 * 3_600_000);
  const before = await deployAs('deploy-2');
  await deployAs('deploy-3');
  const op = { ...operation(), operationId: 'rollback-4' };
  expect(instanceIn(await small.passing(rollback(small.deps, op, { set: SET })))).toBe(before);
});

it('goes on to the release before one that was gone back to in vain', async () => {
  await deployAs('deploy-2');
  await deployAs('deploy-3');
  const back = (operationId: string, to?: string) =>
    small.passing(rollback(small.deps, { ...operation(), operationId }, { set: SET, to }));
  small.sick.add(FIRST);
  await expect(back('rollback-4', FIRST)).rejects.toMatchObject({ error: { code: 'E_APP_UNHEALTHY' } });
  expect(instanceIn(await back('rollback-5'))).toBe(SECOND);
});
