/**
 * Controllers and agents as they are, on a fleet of the model: whatever befalls them, the rules of `rules.ts` hold.
 * How it is run, and how a history is played again: CONTRIBUTING.md.
 *
 * That it catches defects was tried by making them. Within 10,000 histories it finds each of these:
 * - the controller switches before the row is committed, does not wait until it is durable, calls it aborted when the answer of
 *   the store was lost, or cancels what is committed already
 * - agents or balancers' nodes follow a lower epoch; the map is in force before it is on disk; a switch that failed is not made good
 * - a release is reported as staged before its record, or its files, are on disk; or one vote is taken for all
 * - a node that was away is not told the map, does not follow it, or gets requests before it holds what the map names
 * - settling does not ask the balancers, or stops what is active
 * - nobody removes what was staged for nothing: the rollout, the greeting and the settling; or what was switched back is removed
 *   as long as a balancer may use it
 * - update_fetch runs again, or twice at once; a failed staging leaves something; what was stopped by half stays so
 * - at its start an agent sweeps nothing, or starts nothing; a controller calls done what was staging, or keeps an old lease
 * - a lease is not given back; the store takes an outdated token for a deploy that has ended
 * - a controller that lost its state does not go on above the epochs of the nodes
 * Where two checks stand for one rule, only the loss of both shows: the epoch of a switch and its map, abort and settling.
 */
import { expect, it } from 'vitest';
import type { Batch, Broken } from './play.ts';
import { playAll } from './players.ts';

const { SL_MODEL_RUNS: RUNS, SL_MODEL_SEED: SEED, SL_MODEL_REPLAY: REPLAY } = process.env;
/** Histories of a batch: small enough that threads end together. */
const BATCH = 500;

/** The unit tests play the same 100 histories each time; `npm run test:model` plays new ones, unless it is told a seed. */
function batches(): Batch[] {
  if (REPLAY !== undefined) return [replay(REPLAY)];
  if (RUNS === undefined) return [{ seed: 20260131, runs: 100 }];
  const seed = SEED === undefined ? Math.floor(Math.random() * 1e6) : Number(SEED);
  const count = Math.ceil(Number(RUNS) / BATCH);
  return Array.from({ length: count }, (_, i) => ({ seed: seed * 1000 + i, runs: Math.min(BATCH, Number(RUNS)) }));
}

function replay(text: string): Batch {
  const [seed, ...path] = text.split(':');
  return { seed: Number(seed), runs: 1, path: path.join(':') };
}

function story({ seed, path, history, rule, events }: Broken): string {
  const { acts, mishaps, messages, ...rest } = history;
  const list = (title: string, all: readonly object[]) => [title, ...all.map((it) => `  ${JSON.stringify(it)}`)];
  return [
    rule,
    `to play it again: SL_MODEL_REPLAY=${seed}:${path} npm run test:model`,
    ...list('the history:', [rest]),
    ...[...list('acts:', acts), ...list('mishaps:', mishaps), ...list('messages:', messages)],
    ...['what happened:', ...events],
  ].join('\n');
}

it('keeps the rules in every history', async () => {
  const broken = await playAll(batches());
  if (broken !== undefined) expect.fail(story(broken));
}, 900_000);
