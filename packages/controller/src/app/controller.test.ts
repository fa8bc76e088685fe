import type { WantedNode } from '@silverlining/protocol';
import { expect, it, vi } from 'vitest';
import { operation, SET, SmallSet, setOf } from '../../../../test/fakes/small-set.ts';
import { createController } from './controller.ts';

const APP1: WantedNode = { name: 'app1', roles: ['appserver'] };
const [FIRST, SECOND] = ['blog.19700101_001', 'blog.19700101_002'];

/** From now on nodes are told of no switch until they may be. */
function holdSwitches({ fleet }: SmallSet) {
  let goOn = () => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const request = fleet.request.bind(fleet);
  vi.spyOn(fleet, 'request').mockImplementation(async (uuid, type, ...rest) => {
    if (type === 'switch') await held;
    return request(uuid, type, ...rest);
  });
  return { goOn };
}

it('a controller that is stopped waits for the automatic rollback that is under way', async () => {
  const small = new SmallSet();
  await small.add(APP1);
  const stop = new AbortController();
  const service = await createController(small.deps, { signal: stop.signal, onIdle: () => undefined });
  const upAs = (operationId: string) =>
    small.passing(service.up({ set: setOf([APP1]), installHostPackages: false }, { ...operation(), operationId }));
  await upAs('up-one');
  await service.reverted();
  small.version++;
  small.looping.add(SECOND);
  await upAs('up-two');
  const { goOn } = holdSwitches(small);
  while ((await small.store.set(SET))?.active.blog !== FIRST) await small.clock.advance(500);
  stop.abort();
  let isOver = false;
  const reverted = service.reverted().then(() => {
    isOver = true;
  });
  await small.clock.advance(1_000);
  expect(isOver).toBe(false);
  expect((await small.store.deploy('up-two.blog'))?.state).toBe('committed');
  goOn();
  await small.passing(reverted);
  const row = await small.store.deploy('up-two.blog');
  expect(row).toMatchObject({ state: 'ended', record: { outcome: 'rolled-back' } });
  const { lease } = await small.store.acquireLease(SET, 'the next controller', 'next', small.clock.now());
  expect(lease.operation).toBe('next');
});
