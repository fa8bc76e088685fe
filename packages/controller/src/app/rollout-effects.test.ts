import { expect, it, vi } from 'vitest';
import { SendingFleet } from '../../../../test/fakes/sending-fleet.ts';
import type { ProgressReport } from '../service.ts';
import type { RolloutContext } from './rollout-context.ts';
import { executors } from './rollout-effects.ts';

const itemOf = (app: string, bytes: number) => ({
  ...{ app: { name: app }, instance: `${app}.20260131_001`, spec: { health: { timeout: 1 } } },
  release: { digest: app, bytes, manifest: { version: 1, app, files: [], links: [] } },
});

type Items = ReturnType<typeof itemOf>[];

/** Stages all of them on one node; returns what was asked of it, and what was said of that. */
async function stageAll(items: Items, says: string[] = []) {
  const fleet = new SendingFleet();
  const ms = { received: 0, unpacked: 0, started: 0, healthy: 0 };
  fleet.connect('uuid', {
    offer: () => ({ missing: '', free: 0 }),
    stage(_body, { onProgress }) {
      for (const text of says) onProgress?.({ stage: 'script', text });
      return { port: 1, ms };
    },
  });
  const request = vi.spyOn(fleet, 'request');
  const said: ProgressReport[] = [];
  const context = {
    deps: { fleet, clock: { monotonic: () => 0 } },
    op: { operationId: 'D', emit: (it: ProgressReport) => said.push(it) },
    input: { set: { epoch: 1, active: {}, committed: true }, appservers: [], items },
    nodes: new Map([['uuid', { name: 'app1' }]]),
    items: new Map(items.map((item) => [item.app.name, item])),
    measured: { timeline: [], sentFiles: new Map(), wire: new Map() },
  } as unknown as RolloutContext;
  const run = executors(context);
  const stage = (app: string) => run({ key: app, do: 'stage', node: 'uuid', app }, new AbortController().signal);
  await Promise.all(items.map(({ app }) => stage(app.name)));
  const deadlines = (wanted: string) =>
    request.mock.calls.filter(([, type]) => type === wanted).map(([, , , options]) => options.deadline);
  return { deadlines, said };
}

it('of staging count on it that a node reads the releases of all apps one after the other', async () => {
  const { deadlines } = await stageAll([itemOf('blog', 2e9), itemOf('shop', 6e9), itemOf('docs', 0)]);
  expect(deadlines('offer')).toEqual(Array(3).fill(60_000 + 400_000));
});

it('of staging say what the node does, and leave it to the node to give up a script that does not end', async () => {
  const blog = itemOf('blog', 0);
  const scripted = { ...blog, spec: { ...blog.spec, packageInstallScript: 'setup', afterInstallScript: 'build all' } };
  const { deadlines, said } = await stageAll([scripted], ['running install script setup']);
  expect(deadlines('stage')).toEqual([600_000 + 2 * 600_000 + 1_000]);
  const where = { action: 'stage', node: 'app1', app: 'blog' };
  expect(said).toContainEqual({ ...where, status: 'running', text: 'running install script setup', done: 0, total: 0 });
});
