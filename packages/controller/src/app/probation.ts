/** What `sl up` takes from what was live until now waits until nothing goes back to that by itself any more. */
import { isService, SlError } from '@silverlining/protocol';
import type { Run } from './configure.ts';
import { partingServices } from './hand-over.ts';
import { revertUnder } from './revert.ts';
import { watchSet } from './watch.ts';

/**
 * Where services are about to end at their old places: resolves when what was switched to is trusted. Otherwise it is taken back, and
 * this fails: the services go on where they are, and the next run begins with them so.
 */
export async function endProbation(run: Run): Promise<void> {
  const { deps, op, observed, token, set } = run;
  const moves = run.nodes.some((node) => partingServices(observed.record, node).length > 0);
  if (!moves && !run.leaving.some(({ roles }) => roles.some(isService))) return;
  const text = 'watching what was switched to before services end where they were';
  const begins = () => op.emit({ status: 'started', action: 'watch', text });
  const failing = await watchSet(deps, set.name, op.signal, begins);
  if (failing === undefined) return;
  await revertUnder(token, deps, { name: set.name, emit: op.emit, failing });
  throw SlError.fromWire(failing.error);
}
