/** Threads that share out batches of histories. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Batch, Broken } from './play.ts';

/** Plays all of the batches, a thread for each core; the first that found a broken rule ends it. */
export async function playAll(batches: readonly Batch[]): Promise<Broken | undefined> {
  const left = [...batches];
  const threads = Array.from({ length: Math.min(availableParallelism(), batches.length) }, newPlayer);
  try {
    const found = threads.map(async (thread) => {
      for (let batch = left.shift(); batch !== undefined; batch = left.shift()) {
        const broken = await ask(thread, batch);
        if (broken === undefined) continue;
        left.length = 0;
        return broken;
      }
      return undefined;
    });
    return (await Promise.all(found)).find((it) => it !== undefined);
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

function newPlayer(): Worker {
  // Most of what a history makes is forgotten with it: a large nursery has less to move.
  return new Worker(new URL('player.ts', import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 128 } });
}

function ask(thread: Worker, batch: Batch): Promise<Broken | undefined> {
  return new Promise((resolve, reject) => {
    thread.once('error', reject);
    thread.once('message', ({ broken, error }: { broken?: Broken; error?: string }) => {
      thread.off('error', reject);
      if (error === undefined) resolve(broken);
      else reject(new Error(error));
    });
    thread.postMessage(batch);
  });
}
