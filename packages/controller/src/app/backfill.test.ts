import type { WantedNode } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { SmallSet } from '../../../../test/fakes/small-set.ts';

const [APP1, APP2] = ['app1', 'app2'].map((name): WantedNode => ({ name, roles: ['appserver'] })) as [
  WantedNode,
  WantedNode,
];

it('a node is given the time to read all that it has of what is live, also where that is not here any more', async () => {
  const small = new SmallSet();
  await small.add(APP1);
  await small.up([APP1]);
  small.version++;
  const deadlines: number[] = [];
  const offer = (_body: unknown, { deadline }: { deadline: number }) => {
    deadlines.push(deadline);
    return { missing: '', free: 0 };
  };
  await small.add(APP2, { offer });
  await small.up([APP1, APP2]);
  const [live, deployed] = deadlines;
  // Releases of as many bytes.
  expect([deadlines.length, live]).toEqual([2, deployed]);
});
