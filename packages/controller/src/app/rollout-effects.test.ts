import { expect, it, vi } from 'vitest';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import type { RolloutContext } from './rollout-context.ts';
import { executors } from './rollout-effects.ts';

const itemOf = (app: string, bytes: number) => ({
  ...{ app: { name: app }, instance: `${app}.20260131_001`, spec: { health: { timeout: 1 } } },
  release: { digest: app, bytes, manifest: { version: 1, app, files: [], links: [] } },
});

it('of staging count on it that a node reads the releases of all apps one after the other', async () => {
  const fleet = new SendingFleet();
  const ms = { received: 0, unpacked: 0, started: 0, healthy: 0 };
  fleet.connect('uuid', { offer: () => ({ missing: '', free: 0 }), stage: () => ({ port: 1, ms }) });
  const request = vi.spyOn(fleet, 'request');
  const items = [itemOf('blog', 2e9), itemOf('shop', 6e9), itemOf('docs', 0)];
  const context = {
    deps: { fleet, clock: { monotonic: () => 0 } },
    op: { operationId: 'D', emit: () => undefined },
    input: { set: { epoch: 1, active: {}, committed: true }, appservers: [], items },
    nodes: new Map([['uuid', { name: 'app1' }]]),
    items: new Map(items.map((item) => [item.app.name, item])),
    measured: { timeline: [], sentFiles: new Map(), wire: new Map() },
  } as unknown as RolloutContext;
  const run = executors(context);
  const stage = (app: string) => run({ key: app, do: 'stage', node: 'uuid', app }, new AbortController().signal);
  await Promise.all(items.map(({ app }) => stage(app.name)));
  const offers = request.mock.calls.filter(([, type]) => type === 'offer');
  expect(offers.map(([, , , options]) => options.deadline)).toEqual(Array(3).fill(60_000 + 400_000));
});
