import { toSlError } from '@silverlining/protocol';
import { hasProcess } from '../../core/release/instance-unit.ts';
import type { InstanceJournal } from '../../core/release/journal.ts';
import { waitHealthy } from './start.ts';
import type { ReleaseState } from './state.ts';
import { putInForce, settleIn } from './switch.ts';

/**
 * Makes the node what its journal says: nothing half made is left, and what was prepared or active runs. A step that fails, on a
 * full disk say, keeps none of the others from being done.
 */
export async function recover(state: ReleaseState): Promise<void> {
  const { ports } = state;
  await state.load();
  const rebooted = await ports.rebooted();
  if (rebooted) await attempt(state, () => ports.proxy.setReady(false));
  await sweep(state);
  if (rebooted) await checkTrees(state);
  await attempt(state, () => startAll(state));
  await stopIdle(state);
  if (rebooted) await waitForActive(state);
  await attempt(state, () => putInForce(state));
  await attempt(state, () => settleIn(state));
  // Last: an agent that is killed before begins all of it again.
  if (rebooted) await attempt(state, () => ports.noteBoot());
}

/** What has no journal was not voted for: whoever ordered it starts again from the beginning. */
async function sweep(state: ReleaseState): Promise<void> {
  const { units, tree, places } = state.ports;
  const keep = new Set(state.journals.keys());
  await attempt(state, async () => {
    const installed = await units.installed();
    await end(
      state,
      installed.filter((instance) => !keep.has(instance)),
      'remove',
    );
  });
  await attempt(state, async () => {
    for (const instance of await tree.sweep(keep)) await giveUp(state, instance);
  });
  await attempt(state, () => places.sweep(keep));
}

/** Ends processes; where that fails now, the next settling goes on with it. */
async function end(state: ReleaseState, instances: readonly string[], how: 'stop' | 'remove'): Promise<void> {
  for (const instance of instances) state.unfinished.set(instance, how);
  await state.ports.units.stop(instances, { remove: how === 'remove' });
  for (const instance of instances) state.unfinished.delete(instance);
}

/** After a power cut a release may miss files in spite of all: then it must not be served. */
async function checkTrees(state: ReleaseState): Promise<void> {
  for (const journal of state.all()) {
    if (journal.state === 'failed' || (await isIntact(state, journal.instance))) continue;
    await giveUp(state, journal.instance);
  }
}

/** What cannot be looked at is not: the agent would end here at each start. */
async function isIntact(state: ReleaseState, instance: string): Promise<boolean> {
  let intact = false;
  await attempt(state, async () => {
    intact = await state.ports.tree.intact(instance);
  });
  return intact;
}

/** It is made again when the controller brings what is live. */
async function giveUp(state: ReleaseState, instance: string): Promise<void> {
  const journal = state.journals.get(instance);
  if (journal === undefined || journal.state === 'failed') return;
  state.ports.warn(`${instance} is damaged on disk and is not served`);
  // Also where that cannot be written down.
  state.journals.set(instance, { ...journal, state: 'failed' });
  await attempt(state, () => state.put({ ...journal, state: 'failed' }));
}

/** Prepared instances too: the decision about them may have been taken while this node was away. */
async function startAll(state: ReleaseState): Promise<void> {
  const wanted = withProcess(state).map((it) => it.instance);
  const statuses = await state.ports.units.status(wanted);
  const down = wanted.filter((instance) => !statuses.get(instance)?.active);
  for (const instance of down) state.unstarted.add(instance);
  await Promise.all(
    down.map((instance) =>
      attempt(state, async () => {
        await state.ports.units.start(instance, AbortSignal.timeout(30_000));
        state.unstarted.delete(instance);
      }),
    ),
  );
}

/** The journal says `stopped` before the process is: whoever was cut off in between stops it now. */
async function stopIdle(state: ReleaseState): Promise<void> {
  const idle = state.all().filter((it) => it.state !== 'prepared' && hasProcess(it.spec.platform));
  const instances = idle.map((it) => it.instance);
  await attempt(state, () => end(state, instances, 'stop'));
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

/** What fails must not keep anything else, and the agent, from going on. */
async function attempt(state: ReleaseState, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    state.ports.warn(toSlError(error).message);
  }
}
