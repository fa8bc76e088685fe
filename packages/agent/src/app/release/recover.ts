import { toSlError } from '@silverlining/protocol';
import { hasProcess } from '../../core/release/instance-unit.ts';
import type { InstanceJournal } from '../../core/release/journal.ts';
import { waitHealthy } from './start.ts';
import type { ReleaseState } from './state.ts';
import { putInForce, settleIn } from './switch.ts';

/** Makes the node what its journal says: nothing half made is left, and what was prepared or active runs. */
export async function recover(state: ReleaseState): Promise<void> {
  const { ports } = state;
  await state.load();
  const rebooted = await ports.rebooted();
  if (rebooted) await ports.proxy.setReady(false);
  await sweep(state);
  if (rebooted) await checkTrees(state);
  await startAll(state);
  await stopIdle(state);
  if (rebooted) await waitForActive(state);
  await attempt(state, () => putInForce(state));
  await settleIn(state);
}

/** What has no journal was not voted for: whoever ordered it starts again from the beginning. */
async function sweep(state: ReleaseState): Promise<void> {
  const { units, tree, places } = state.ports;
  const keep = new Set(state.journals.keys());
  await units.stop(
    (await units.installed()).filter((instance) => !keep.has(instance)),
    { remove: true },
  );
  await tree.sweep(keep);
  await places.sweep(keep);
}

/** After a power cut a release may miss files in spite of all: then it must not be served. */
async function checkTrees(state: ReleaseState): Promise<void> {
  for (const journal of state.all()) {
    if (journal.state === 'failed' || (await state.ports.tree.intact(journal.instance))) continue;
    state.ports.warn(`${journal.instance} is damaged on disk and is not served`);
    await state.put({ ...journal, state: 'failed' });
  }
}

/** Prepared instances too: the decision about them may have been taken while this node was away. */
async function startAll(state: ReleaseState): Promise<void> {
  const wanted = withProcess(state).map((it) => it.instance);
  const statuses = await state.ports.units.status(wanted);
  const down = wanted.filter((instance) => !statuses.get(instance)?.active);
  await Promise.all(
    down.map((instance) => attempt(state, () => state.ports.units.start(instance, AbortSignal.timeout(30_000)))),
  );
}

/** The journal says `stopped` before the process is: whoever was cut off in between stops it now. */
async function stopIdle(state: ReleaseState): Promise<void> {
  const idle = state.all().filter((it) => it.state !== 'prepared' && hasProcess(it.spec.platform));
  await attempt(state, () =>
    state.ports.units.stop(
      idle.map((it) => it.instance),
      { remove: false },
    ),
  );
}

/** The node gets requests again when its apps answer, or when it is clear that waiting does not help. */
async function waitForActive(state: ReleaseState): Promise<void> {
  const active = withProcess(state).filter((it) => state.active[it.spec.app] === it.instance);
  const timeout = AbortSignal.timeout(20_000);
  await Promise.all(active.map((it) => attempt(state, () => waitHealthy(state, it, timeout))));
}

function withProcess(state: ReleaseState): InstanceJournal[] {
  return state.all().filter((it) => it.state === 'prepared' && hasProcess(it.spec.platform));
}

/** One app that cannot start must not keep the others, and the agent, from doing so. */
async function attempt(state: ReleaseState, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    state.ports.warn(toSlError(error).message);
  }
}
