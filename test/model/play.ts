/** Plays histories until one breaks a rule, which is then made as short as possible. */
import fc from 'fast-check';
import { type History, history } from './history.ts';
import { Simulation } from './simulation.ts';
import type { World } from './world.ts';

/** Which histories: `runs` of them from a seed, or the one that a path leads to from there. */
export interface Batch {
  seed: number;
  runs: number;
  path?: string;
}

export interface Broken {
  seed: number;
  /** Where it is among the histories of its seed. */
  path: string;
  history: History;
  rule: string;
  /** All that happened, a line each. */
  events: string[];
}

let current: World | undefined;

/** Deadlines that the product sets itself pass in virtual time too: for good, so this is for a thread of its own. */
export function takeSignals(): void {
  const real = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (ms) => current?.timeout(ms) ?? real(ms);
  AbortSignal.any = anyOf;
}

/** Node keeps those of its own that somebody listens to until they abort: with each of them, the whole history that it is of. */
function anyOf(signals: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  const aborted = signals.find((it) => it.aborted);
  if (aborted !== undefined) controller.abort(aborted.reason);
  else {
    for (const it of signals) it.addEventListener('abort', () => controller.abort(it.reason), { once: true });
  }
  return controller.signal;
}

/** The shortest history found that breaks a rule; undefined when all keep them. */
export async function playBatch({ seed, runs, path }: Batch): Promise<Broken | undefined> {
  const property = fc.asyncProperty(history, async (it) => (await play(it)).violation === undefined);
  const one = path === undefined ? {} : { path, endOnFailure: true };
  const result = await fc.check(property, { seed, numRuns: runs, ...one });
  const [found] = result.counterexample ?? [];
  if (found === undefined) return undefined;
  const { violation, trace } = await play(found, true);
  const rule = violation ?? `it was broken only once: ${String(result.errorInstance)}`;
  return { seed, path: result.counterexamplePath ?? '', history: found, rule, events: trace };
}

async function play(it: History, isTraced = false): Promise<World> {
  const simulation = new Simulation(it, isTraced);
  current = simulation.world;
  await simulation.run();
  // Now and then the event loop gets its turn.
  await new Promise((resolve) => setImmediate(resolve));
  return current;
}
