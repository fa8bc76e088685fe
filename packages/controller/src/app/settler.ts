/** Decides when a set may be settled. Settling stops processes, so it never runs beside anything that changes the set. */
import { CALM } from '../core/release/watch.ts';
import { type Bell, createBell } from './bell.ts';
import type { ControllerDeps } from './deps.ts';
import { haveStayed, isInForce, type SettleDeps, settleDrained, settleSet } from './settle.ts';
import { type Failing, watchSet } from './watch.ts';

/** Milliseconds in which further nodes that come back are waited for, so that a fleet that returns is settled once. */
export const GATHER = 1_000;
/** Milliseconds until a balancer that could not be told is asked again, and until a settling that failed is begun anew; earlier when an agent comes back. */
export const ASK_AGAIN = 60_000;

/** Operations one after the other, without a drain in between, after which what they left so far is settled as far as it may be. */
const SERIES = 3;

export interface Settler {
  /**
   * Runs an operation on the set: what watches and settles it is ended first, and begins anew after the last one. It is settled once
   * what was switched to is trusted, its balancers have confirmed the map, and a drain has passed since.
   */
  during<R>(set: string, work: () => Promise<R>): Promise<R>;
  /**
   * Has a node settled that has come back, shortly after it, and once for all that come back meanwhile. What is watched is watched on,
   * and what drains drains on: an agent of an app server that is started again and again would put both off for ever.
   */
  cameBack(set: string): void;
  isBusy(set: string): boolean;
}

interface Settling {
  abort: AbortController;
  /** Rings when an agent has come back. */
  bell: Bell;
  ended: Promise<void>;
}

export type SettlerDeps = SettleDeps & Pick<ControllerDeps, 'log'>;

/** Runs until the signal is aborted. `takeBack` is called when what was switched to is no good. */
export function createSettler(
  deps: SettlerDeps,
  signal: AbortSignal,
  takeBack: (set: string, failing: Failing) => void,
): Settler {
  const operations = new Map<string, number>();
  const settlings = new Map<string, Settling>();
  const isBusy = (set: string): boolean => operations.has(set);
  /** Operations since the set was settled. */
  const series = new Map<string, number>();
  const begin = (set: string): void => {
    // The end of the last operation asks again.
    if (isBusy(set)) return;
    const [abort, bell] = [new AbortController(), createBell(deps.clock)];
    const isLong = (series.get(set) ?? 0) >= SERIES;
    if (isLong) series.delete(set);
    const how = { life: signal, isLong, bell, signal: AbortSignal.any([signal, abort.signal]) };
    const ended = settle(deps, set, how).then((failing) => {
      settlings.delete(set);
      if (how.signal.aborted) return;
      series.delete(set);
      if (failing !== undefined) takeBack(set, failing);
      // Whoever came back meanwhile was not there to be settled, or not for a drain.
      else if (bell.isRung()) begin(set);
    });
    settlings.set(set, { abort, bell, ended });
  };
  const gathering = new Set<string>();
  const cameBack = (set: string): void => {
    if (gathering.has(set)) return;
    gathering.add(set);
    const gathered = deps.clock.sleep(GATHER, signal).finally(() => gathering.delete(set));
    gathered.then(() => {
      const settling = settlings.get(set);
      if (settling === undefined) begin(set);
      else settling.bell.ring();
    }, ignoreTheEnd);
  };
  return {
    isBusy,
    cameBack,
    async during(set, work) {
      count(operations, set, 1);
      try {
        const settling = settlings.get(set);
        settling?.abort.abort();
        await settling?.ended;
        return await work();
      } finally {
        count(series, set, 1);
        if (count(operations, set, -1) === 0) begin(set);
      }
    },
  };
}

/** Returns how many there are then. */
function count(of: Map<string, number>, set: string, by: number): number {
  const now = (of.get(set) ?? 0) + by;
  if (now === 0) of.delete(set);
  else of.set(set, now);
  return now;
}

/** A wait that ends early was ended by who began it. */
function ignoreTheEnd(): void {}

type Waiting = { bell: Bell; signal: AbortSignal };

/** Never fails: what goes wrong is tried again. Resolves with what has to be taken back, if any. */
async function settle(
  deps: SettlerDeps,
  set: string,
  { life, isLong, bell, signal }: Waiting & { life: AbortSignal; isLong: boolean },
): Promise<Failing | undefined> {
  // The next operation of the series waits for this part: it would never come to its end otherwise.
  if (isLong) await settleDrained(deps, set, life).catch((error: unknown) => warn(deps, set, error));
  while (!signal.aborted) {
    try {
      return await watchAndSettle(deps, set, { bell, signal });
    } catch (error) {
      if (!signal.aborted) warn(deps, set, error);
      await bell.wait(ASK_AGAIN, signal).catch(ignoreTheEnd);
    }
  }
  return undefined;
}

/**
 * A release is watched from the first moment, whatever balancers have confirmed: it crashes without them, too. The old one stays warm
 * meanwhile: going back to it takes no time.
 */
async function watchAndSettle(deps: SettlerDeps, set: string, { bell, signal }: Waiting): Promise<Failing | undefined> {
  const over = new AbortController();
  const drained = untilDrained(deps, set, { bell, signal: AbortSignal.any([signal, over.signal]) });
  // Until the watch has ended well nobody waits for it.
  drained.catch(ignoreTheEnd);
  try {
    const failing = await watchSet(deps, set, signal);
    if (failing !== undefined) return failing;
    await drained;
    await settleSet(deps, set, signal);
    return undefined;
  } finally {
    over.abort();
  }
}

/** Until no balancer sends requests to the old release any more, and those in flight have ended on it. */
async function untilDrained(deps: SettlerDeps, set: string, { bell, signal }: Waiting): Promise<void> {
  for (;;) {
    const since = deps.clock.monotonic();
    if (await isInForce(deps, set, signal)) {
      await deps.clock.sleep(CALM, signal);
      // Asked once more: what was confirmed may have been lost, as with a HAProxy that was just being loaded anew.
      if ((await haveStayed(deps, set, since)) && (await isInForce(deps, set, signal))) return;
    } else {
      signal.throwIfAborted();
      deps.log.info({ set }, 'not settled: a balancer has not confirmed the committed map; the old release stays up');
      await bell.wait(ASK_AGAIN, signal);
    }
  }
}

function warn({ log }: SettlerDeps, set: string, error: unknown): void {
  log.warn({ set, error: String(error) }, 'settling failed; this is tried again');
}
