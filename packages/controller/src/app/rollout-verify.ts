/** Whether what was switched to is good. */
import { type ReplyBody, SlError } from '@silverlining/protocol';
import type { RolloutItem } from './rollout.ts';
import { mark, nodeOf, type RolloutContext } from './rollout-context.ts';
import { insist } from './rollout-insist.ts';

const DEADLINE = 15_000;
const TRIES = 3;
const PAUSE = 250;
const LOG_LINES = 60;

type Answers = ReplyBody<'serving'>['apps'];

/** Every app of the rollout answers its health path on the node, from the instance that was switched to. */
export async function verify(context: RolloutContext, { node }: { node: string }, signal: AbortSignal): Promise<void> {
  const { deps, input } = context;
  for (let tries = 1; ; tries++) {
    // Logs cost the node a process, and only the last try needs them.
    const body = { ask: true, ...(tries === TRIES ? { log: LOG_LINES } : {}) };
    const { apps } = await insist(context, { node, signal }, (limited) =>
      deps.fleet.request(node, 'serving', body, { signal: limited, deadline: DEADLINE }),
    );
    const wrong = input.items.filter((item) => !isGood(item, apps));
    if (wrong.length === 0) return;
    if (tries === TRIES) throw failure(context, node, wrong, apps);
    await deps.clock.sleep(PAUSE, signal);
  }
}

function isGood({ app, instance }: RolloutItem, apps: Answers): boolean {
  return apps.some((it) => it.app === app.name && it.instance === instance && it.healthy);
}

function failure(context: RolloutContext, node: string, wrong: readonly RolloutItem[], apps: Answers): SlError {
  const { name } = nodeOf(context, node);
  mark(context, name, undefined, 'failed');
  const found = wrong.map(({ app }) => ({ app: app.name, seen: apps.find((it) => it.app === app.name) }));
  const problems = found.map(
    ({ app, seen }) => `${app}: ${seen?.error ?? (seen?.status === undefined ? 'no answer' : `status ${seen.status}`)}`,
  );
  const log = found.flatMap(({ seen }) => seen?.log ?? []);
  return new SlError('E_APP_UNHEALTHY', `after the switch on ${name}: ${problems.join('; ')}`, {
    details: { node: name, log },
  });
}
