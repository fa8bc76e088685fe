/** A thread that plays the batches of histories that it is sent, and answers each. */
import { parentPort } from 'node:worker_threads';
import { type Batch, playBatch, takeSignals } from './play.ts';

takeSignals();
// Thousands of errors are made in passing, and nobody reads where.
Error.stackTraceLimit = 0;
parentPort?.on('message', (batch: Batch) => {
  playBatch(batch).then(
    (broken) => parentPort?.postMessage({ broken }),
    (error: unknown) => parentPort?.postMessage({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
