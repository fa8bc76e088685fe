import { expect, it } from 'vitest';
import { SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { planSet } from './plan.ts';

it('a node that was told another address of the controller is set up again: a change, as the plan has', async () => {
  const small = new SmallSet();
  const app1 = { name: 'app1', roles: ['appserver'] };
  await small.add(app1);
  await small.up([app1]);
  const [node] = await small.store.nodes(SET);
  if (node !== undefined) await small.store.putNode({ ...node, told: ':443' });
  const answer = { hostKeys: [], keyHash: '', arch: 'x64' as const, controllerUrl: '', formerSet: undefined };
  small.deps.bootstrapper.bootstrap = async () => answer;
  const request = { set: setOf([app1]), deep: false };
  for (const changes of [1, 0]) {
    expect(await planSet(small.deps, request, new AbortController().signal)).toMatchObject({ changes });
    expect(await small.up([app1])).toMatchObject({ changes });
  }
});
