/** `--watch`: an operation that ends when its releases are trusted or were taken back, so that its exit status says which. */
import { type DeployRecord, SlError } from '@silverlining/protocol';
import { type OperationContext, OperationFailed } from '../service.ts';
import type { ControllerDeps } from './deps.ts';

const ASK_AGAIN = 500;

type WatchDeps = Pick<ControllerDeps, 'store' | 'clock'>;

/** Runs an operation, and with `watch` waits for what becomes of what it deployed. Ctrl-C ends the waiting alone. */
export function waitForVerdict(deps: WatchDeps) {
  return async <R extends { deploys: DeployRecord[] }>(
    { watch }: { watch?: boolean | undefined },
    op: OperationContext,
    work: () => Promise<R>,
  ): Promise<R> => {
    const result = await work();
    if (watch !== true || !result.deploys.some((it) => it.watching)) return result;
    op.emit({ status: 'started', action: 'watch', text: 'watching what was switched to' });
    const deploys = await verdicts(deps, op, result.deploys);
    const failed = deploys.find((it) => it.outcome === 'rolled-back');
    if (failed === undefined) return { ...result, deploys };
    const error =
      failed.error === undefined
        ? new SlError('E_SWITCH', `${failed.id} was rolled back`)
        : SlError.fromWire(failed.error);
    throw new OperationFailed(error, { ...result, deploys });
  };
}

async function verdicts(
  { store, clock }: WatchDeps,
  { signal }: OperationContext,
  deploys: readonly DeployRecord[],
): Promise<DeployRecord[]> {
  for (;;) {
    const rows = await Promise.all(deploys.map((it) => store.deploy(it.id)));
    const now = deploys.map((it, i) => rows[i]?.record ?? it);
    const isOpen = rows.some((it) => it !== undefined && (it.state !== 'ended' || it.record.watching === true));
    if (!isOpen || signal.aborted) return now;
    await clock.sleep(ASK_AGAIN, signal).catch(() => undefined);
  }
}
