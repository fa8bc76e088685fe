import type { WantedNode } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { operation, SET, SmallSet } from '../../../../test/fakes/small-set.ts';
import { rollback } from './rollback.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const [FIRST, SECOND] = ['blog.19700101_001', 'blog.19700101_002'];
const MINUTE = 60_000;

it('says until when a release was live that others followed, one of which was switched to again since', async () => {
  const small = new SmallSet();
  await small.add(APP1);
  const deployed: number[] = [];
  for (const operationId of ['up-1', 'up-2', 'up-3']) {
    await small.up([APP1], { ...operation(), operationId });
    deployed.push(small.clock.now());
    small.version++;
    await small.clock.advance(MINUTE);
  }
  const texts: (string | undefined)[] = [];
  const back = (operationId: string, to: string) => {
    const op = operation(({ action, text }) => action === 'rollback' && texts.push(text));
    return small.passing(rollback(small.deps, { ...op, operationId }, { set: SET, to }));
  };
  await back('rollback-1', SECOND);
  await small.clock.advance(MINUTE);
  await back('rollback-2', FIRST);
  const until = new Date(deployed[1] ?? 0).toISOString().slice(0, 16).replace('T', ' ');
  expect(texts[1]).toContain(`going back to ${FIRST}`);
  expect(texts[1]).toContain(` until ${until}`);
});
