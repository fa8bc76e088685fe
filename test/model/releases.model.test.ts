import fc from 'fast-check';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type History, history } from './history.ts';
import { Simulation } from './simulation.ts';
import type { World } from './world.ts';

const RUNS = Number(process.env.SL_MODEL_RUNS ?? 300);
/** Every run of the unit tests plays the same histories; `npm run test:model` plays new ones. */
const SEED = process.env.SL_MODEL_SEED ?? (process.env.SL_MODEL_RUNS === undefined ? '20260131' : undefined);
let current: World | undefined;

beforeAll(() => {
  const real = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => current?.timeout(ms) ?? real(ms));
});
afterAll(() => vi.restoreAllMocks());

async function play(it: History, isTraced = false) {
  const simulation = new Simulation(it, isTraced);
  current = simulation.world;
  return { violation: await simulation.run(), trace: simulation.world.trace };
}

it('keeps the rules in every history', async () => {
  const result = await fc.check(
    fc.asyncProperty(history, async (it) => (await play(it)).violation === undefined),
    { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }), endOnFailure: false },
  );
  if (!result.failed) return;
  const [found] = result.counterexample ?? [];
  if (found === undefined) throw new Error(String(result.errorInstance));
  const { trace } = await play(found, true);
  expect.fail(
    `seed ${result.seed}, after ${result.numRuns} histories:\n${JSON.stringify(found, null, 1)}\n${trace.join('\n')}`,
  );
}, 600_000);
