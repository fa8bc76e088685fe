import { expect, it } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { createBell } from './bell.ts';

const never = new AbortController().signal;

it('ends a wait, and the next one where nobody waits', async () => {
  const bell = createBell(new ManualClock());
  const waited = bell.wait(1000, never);
  bell.ring();
  await waited;
  expect(bell.isRung()).toBe(false);
  bell.ring();
  expect(bell.isRung()).toBe(true);
  await bell.wait(1000, never);
  expect(bell.isRung()).toBe(false);
});

it('rings for nobody who has given up', async () => {
  const bell = createBell(new ManualClock());
  const abort = new AbortController();
  const waited = expect(bell.wait(1000, abort.signal)).rejects.toThrow('enough');
  abort.abort(new Error('enough'));
  await waited;
});
