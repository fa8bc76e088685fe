import { type RequestBody, SlError, toSlError } from '@silverlining/protocol';
import { sameMap } from '../../core/release/maps.ts';
import { trafficReply } from '../../core/release/traffic.ts';
import type { Handlers } from '../../ports.ts';
import type { ReleaseState } from './state.ts';
import { startAgain } from './unstarted.ts';

/** Puts the committed map in force on this node. */
export function createSwitch(state: ReleaseState): Handlers['switch'] {
  return (order, { signal }) => state.ports.exclusive('switch', () => follow(state, order, signal));
}

async function follow(
  state: ReleaseState,
  { epoch, active }: RequestBody<'switch'>,
  signal: AbortSignal,
): Promise<{ epoch: number; at: number }> {
  state.requireEpoch(epoch);
  const { journals, clock } = state.ports;
  const isNew = epoch > state.committed.epoch;
  const { newest } = state;
  if (epoch === newest.epoch && !sameMap(active, newest.active)) {
    throw new SlError('E_CONFLICT', `epoch ${epoch} was committed with another map than the one that is ordered now`);
  }
  await state.hear(epoch, active);
  await startAgain(state, signal, Object.values(active));
  if (isNew) {
    // Before anything shows: a node that dies here comes back with the new map, never with the old one.
    await journals.writeCommitted({ version: 1, epoch, active });
    state.committed = { version: 1, epoch, active };
    state.isInForce = false;
  }
  await putInForce(state);
  const at = clock.now();
  if (isNew) await takeBaseline(state);
  await settleIn(state);
  return { epoch, at };
}

/**
 * The maps that requests are routed by; the balancer's last, because its change is the one that visitors see. A node that knows of no
 * commit, new or with a damaged disk, leaves them as they are: an empty one would send everybody away until the controller is there.
 */
export async function putInForce(state: ReleaseState): Promise<void> {
  state.isInForce = false;
  if (state.committed.epoch === 0) return;
  await state.ports.proxy.writeActive(state.active);
  const { balancer } = state.ports;
  // Whoever took the role away may have been cut off before HAProxy was stopped: as long as it serves, it goes along.
  if (state.hasRole('balancer') || (await balancer.differs(state.active))) await balancer.apply(state.active);
  state.isInForce = true;
}

/**
 * Tries again what failed at the switch: the disk was full, HAProxy did not run. The node was told, so nobody else would. And looks
 * whether HAProxy goes by the map still: somebody may have had it load an older file at that very moment.
 */
export async function ensureInForce(state: ReleaseState, signal: AbortSignal): Promise<void> {
  if (await isFollowed(state)) return;
  await state.ports.exclusive('switch', async () => {
    if (await isFollowed(state)) return;
    const { heard, heardEpoch } = state;
    if (heard !== undefined && heardEpoch !== undefined) await follow(state, heard, signal);
    else {
      await putInForce(state);
      await settleIn(state);
    }
  });
}

async function isFollowed(state: ReleaseState): Promise<boolean> {
  if (state.isRemoved) return true;
  if (state.heardEpoch !== undefined) return false;
  if (state.committed.epoch === 0) return true;
  if (!state.isInForce) return false;
  return !(await state.ports.balancer.differs(state.active));
}

/** What follows from the committed map: units that start at boot, and whether the node may get requests. */
export async function settleIn(state: ReleaseState): Promise<void> {
  const here = state.all().filter((it) => it.port !== 0 && state.active[it.spec.app] === it.instance);
  await state.ports.units.enableOnly(new Set(here.map((it) => it.instance)));
  await state.refreshProxy();
}

/** Counters right after the switch: what an old release gets beyond them, it got after the switch. Without them nothing is said. */
async function takeBaseline(state: ReleaseState): Promise<void> {
  if (!state.hasRole('balancer')) return;
  try {
    const table = await state.ports.balancer.table();
    await state.ports.journals.writeBaseline({ version: 1, epoch: state.committed.epoch, table });
  } catch (error) {
    state.ports.warn(`requests around this switch are not told apart: ${toSlError(error).message}`);
  }
}

/** Requests by release; only balancers count them. */
export function createTraffic(state: ReleaseState): Handlers['traffic'] {
  return async () => {
    if (!state.hasRole('balancer')) return { releases: {}, stale: 0 };
    const now = await state.ports.balancer.table();
    const baseline = await state.ports.journals.baseline();
    // Without a baseline of this epoch nothing can be said to be late.
    const base = baseline?.epoch === state.committed.epoch ? baseline.table : now;
    return trafficReply(now, base, state.active);
  };
}
