import { instanceReports } from '../core/release/choices.ts';
import { NOTHING_COMMITTED } from '../core/release/journal.ts';
import type { Releases } from '../ports.ts';
import type { ReleasePorts } from '../release-ports.ts';
import { appHealth, servingAnswers } from './release/app-health.ts';
import { createChunks } from './release/chunks.ts';
import { createHook } from './release/hook.ts';
import { createImage } from './release/image.ts';
import { createLend } from './release/lend.ts';
import { createOffer } from './release/offer.ts';
import { recover } from './release/recover.ts';
import { createAbort, createSettle } from './release/settle.ts';
import { createStage } from './release/stage.ts';
import { ReleaseState } from './release/state.ts';
import { createSwitch, createTraffic } from './release/switch.ts';

/** The releases of this node: what is offered, staged, switched to and removed. `recover` comes before anything else. */
export function createReleases(ports: ReleasePorts): Releases {
  const state = new ReleaseState(ports);
  return {
    offer: createOffer(state),
    image: createImage(state),
    chunks: createChunks(state),
    lend: createLend(state),
    stage: createStage(state),
    hook: createHook(state),
    abort: createAbort(state),
    switch: createSwitch(state),
    settle: createSettle(state),
    traffic: createTraffic(state),
    hold: async ({ seconds }) => {
      if (state.hasRole('balancer'))
        await ports.balancer.hold(seconds === 0 ? 0 : untilSecond(ports.clock.now(), seconds));
      return {};
    },
    backends: async () => ({ up: state.hasRole('balancer') ? await ports.balancer.backends() : {} }),
    epoch: () => state.committed.epoch,
    heardEpoch: () => state.heardEpoch,
    active: () => state.active,
    hear: (epoch, active) => state.hear(epoch, active),
    instances: async () => [...instanceReports(state.all(), state.active), ...state.underWay()],
    isStaging: () => state.isStaging,
    appHealth: (signal) => appHealth(state, signal),
    appAnswers: (signal, lines) => servingAnswers(state, signal, lines),
    recover: () => recover(state),
    removeAll: () => removeAll(state),
  };
}

/** Seconds since 1970, and no less than asked for. */
function untilSecond(now: number, seconds: number): number {
  return Math.ceil(now / 1000) + seconds;
}

async function removeAll(state: ReleaseState): Promise<void> {
  const { ports } = state;
  // After the switch that may be under way, which would write its map again.
  await ports.exclusive('switch', async () => {
    state.isRemoved = true;
  });
  for (const staging of state.stagings.values()) staging.abort.abort();
  await Promise.all([...state.stagings.values()].map((staging) => staging.ended));
  await ports.exclusive('proxy', () => ports.proxy.removeAll());
  await ports.units.stop(await ports.units.installed(), { remove: true });
  state.journals.clear();
  state.offers.clear();
  state.committed = NOTHING_COMMITTED;
  await ports.journals.removeAll();
  await ports.tree.sweep(new Set());
  await ports.store.removeAll();
  await ports.places.removeAll();
}
