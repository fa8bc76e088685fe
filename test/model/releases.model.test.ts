/**
 * Controllers and agents as they are, on a fleet of the model: whatever befalls them, the rules of `rules.ts` hold.
 * How it is run, and how a history is played again: CONTRIBUTING.md.
 */
import { expect, it } from 'vitest';
import type { Batch, Broken } from './play.ts';
import { playAll } from './players.ts';

const { SL_MODEL_RUNS: RUNS, SL_MODEL_SEED: SEED, SL_MODEL_REPLAY: REPLAY } = process.env;
/** Histories of a batch: small enough that threads end together. */
const BATCH = 500;

/** The unit tests play the same 300 histories each time; `npm run test:model` plays new ones, unless it is told a seed. */
function batches(): Batch[] {
  if (REPLAY !== undefined) return [replay(REPLAY)];
  if (RUNS === undefined) return [0, 1].map((i) => ({ seed: 20260131 + i, runs: 150 }));
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
