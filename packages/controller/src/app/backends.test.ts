import { expect, it } from 'vitest';
import { FakeFleet } from '../../../../test/fakes/fake-fleet.ts';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { nodeRecord } from '../io/store/contract-records.ts';
import { awaitBackends } from './backends.ts';

const BALANCER = nodeRecord('shop', 'lb', { roles: ['balancer'] });
const APP1 = nodeRecord('shop', 'app1', { roles: ['appserver'] });
const APP2 = nodeRecord('shop', 'app2', { roles: ['appserver'] });

/** Waits with a balancer that says each of these in turn, the last one from then on; returns the warnings. */
async function waitFor(...said: Record<string, boolean>[]): Promise<string[]> {
  const [fleet, clock] = [new FakeFleet(), new ManualClock()];
  let asked = 0;
  fleet.connect('lb', { backends: () => ({ up: said[Math.min(asked++, said.length - 1)] ?? {} }) });
  const warnings: string[] = [];
  const op = {
    emit: ({ text }: { text?: string }) => void warnings.push(text ?? ''),
    signal: new AbortController().signal,
  };
  let over = false;
  const waiting = awaitBackends({ fleet, clock }, op, [BALANCER, APP1, APP2]).finally(() => {
    over = true;
  });
  // The rejection is the caller's; here the clock is only moved until it is there.
  waiting.catch(() => undefined);
  while (!over) await clock.advance(1000);
  await waiting;
  expect(asked).toBeGreaterThanOrEqual(said.length);
  return warnings;
}

it('is over once every app server is up', async () => {
  const both = { [APP1.name]: true, [APP2.name]: true };
  expect(await waitFor({}, { [APP1.name]: true }, both)).toEqual([]);
});

it('warns of one that stays down', async () => {
  expect(await waitFor({ [APP1.name]: true, [APP2.name]: false })).toEqual([
    `the balancer finds no answer at ${APP2.name}`,
  ]);
});

it('fails when none is up', async () => {
  await expect(waitFor({ [APP1.name]: false })).rejects.toMatchObject({ code: 'E_APP_UNHEALTHY' });
});
