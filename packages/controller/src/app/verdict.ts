/** `--watch`: an operation that ends when its releases are trusted or were taken back, so that its exit status says which. */
import { type DeployRecord, type DeployResult, SlError, toWireError } from '@silverlining/protocol';
import { WATCH_MAX } from '../core/release/watch.ts';
import { type OperationContext, OperationFailed } from '../service.ts';
import type { ControllerDeps } from './deps.ts';
import { onProbation } from './watch.ts';

const ASK_AGAIN = 500;
/** Milliseconds after which nobody waits any more: the longest watch, and as much for going back, or for another try. */
export const NO_VERDICT = 2 * WATCH_MAX;

type WatchDeps = Pick<ControllerDeps, 'store' | 'clock'>;

export interface Watching {
  watch?: boolean | undefined;
  set: string;
  /** It is about all apps of the set, those that its result does not name included. */
  whole?: boolean;
}

/**
 * Runs an operation, and with `watch` waits for what becomes of what it deployed, or left as an earlier one had deployed it. Ctrl-C ends
 * the waiting alone. E_DEADLINE when there is no verdict.
 */
export function waitForVerdict(deps: WatchDeps) {
  return async <R extends DeployResult>(
    { watch, ...about }: Watching,
    op: OperationContext,
    work: () => Promise<R>,
  ): Promise<R> => {
    const result = await finished(deps.store, work);
    if (watch !== true) return result;
    const open = [...result.deploys.filter((it) => it.watching), ...(await earlier(deps, about, result))];
    if (open.length === 0) return result;
    op.emit({ status: 'started', action: 'watch', text: 'watching what was switched to' });
    const ended = await verdicts(deps, op, open);
    const deploys = withVerdicts(result.deploys, ended);
    const error = whatFailed(ended) ?? (op.signal.aborted ? undefined : whatIsOpen(ended));
    if (error !== undefined) throw new OperationFailed(error, { ...result, deploys });
    return { ...result, deploys };
  };
}

/** Deploys on probation that the operation found and had nothing to add to: a command that is given again waits as the first one did. */
async function earlier(
  deps: WatchDeps,
  { set, whole = false }: Omit<Watching, 'watch'>,
  { deploys }: DeployResult,
): Promise<DeployRecord[]> {
  const record = await deps.store.set(set);
  const rows = record === undefined ? [] : await onProbation(deps, record);
  const isLeft = (app: string) => deploys.find((it) => it.app === app)?.outcome === 'unchanged';
  const isNew = (id: string) => deploys.some((it) => it.id === id);
  return rows.filter((row) => !isNew(row.id) && (whole || isLeft(row.app))).map((row) => row.record);
}

/** An earlier deploy is told of where it was taken back, in place of that its app was left as it was. */
function withVerdicts(deploys: readonly DeployRecord[], ended: readonly DeployRecord[]): DeployRecord[] {
  const own = deploys.map((it) => ended.find(({ id }) => id === it.id) ?? it);
  const lost = ended.filter((it) => it.outcome === 'rolled-back' && !own.includes(it));
  return [...own.filter((it) => !lost.some(({ app }) => app === it.app)), ...lost];
}

/** What it deployed may have been taken back before it ended: by another controller, which took it over. */
async function finished<R extends DeployResult>(store: WatchDeps['store'], work: () => Promise<R>): Promise<R> {
  const current = async <T extends DeployResult>(result: T): Promise<T> => {
    return { ...result, deploys: await Promise.all(result.deploys.map((it) => asOfNow(store, it))) };
  };
  const result = await work().then(current, async (error) => {
    throw error instanceof OperationFailed ? new OperationFailed(error.error, await current(error.result)) : error;
  });
  const error = whatFailed(result.deploys);
  if (error !== undefined) throw new OperationFailed(error, result);
  return result;
}

/** The record of a deploy that has ended, or another one where it is being taken back. */
export async function asOfNow(store: WatchDeps['store'], record: DeployRecord): Promise<DeployRecord> {
  const row = await store.deploy(record.id);
  if (row === undefined || row.state === 'ended' || record.outcome !== 'done') return row?.record ?? record;
  const set = await store.set(row.set);
  if (set?.active[row.app] === row.instance) return record;
  const text = `${row.instance} was taken back right after the switch; sl deploys show ${row.id} will say why`;
  const { watching: _, ...rest } = record;
  return { ...rest, outcome: 'rolled-back', error: toWireError(new SlError('E_SWITCH', text)) };
}

/** Those that nobody has decided on by the end of the wait are still watched. */
async function verdicts(
  { store, clock }: WatchDeps,
  { signal }: OperationContext,
  deploys: readonly DeployRecord[],
): Promise<DeployRecord[]> {
  const end = clock.monotonic() + NO_VERDICT;
  for (;;) {
    const now = await Promise.all(deploys.map((it) => newest(store, it)));
    if (!now.some((it) => it.watching) || signal.aborted || clock.monotonic() >= end) return now;
    await clock.sleep(ASK_AGAIN, signal).catch(() => undefined);
  }
}

/** While it is being taken back its record is yet to come. */
async function newest(store: WatchDeps['store'], record: DeployRecord): Promise<DeployRecord> {
  const row = await store.deploy(record.id);
  return row?.state === 'ended' ? row.record : record;
}

function whatFailed(deploys: readonly DeployRecord[]): SlError | undefined {
  const failed = deploys.find((it) => it.outcome === 'rolled-back');
  if (failed === undefined) return undefined;
  if (failed.error === undefined) return new SlError('E_SWITCH', `${failed.id} was rolled back`);
  return SlError.fromWire(failed.error);
}

/** It is no success to wait in vain for somebody to say that it is one. */
function whatIsOpen(deploys: readonly DeployRecord[]): SlError | undefined {
  const open = deploys.filter((it) => it.watching);
  const [first] = open;
  if (first === undefined) return undefined;
  const names = open.map((it) => it.instance).join(', ');
  return new SlError(
    'E_DEADLINE',
    `switched to ${names}, and ${NO_VERDICT / 1000} s later nobody has decided yet whether that stays; sl deploys show ${first.id} says what becomes of it, sl controller logs what is in the way`,
  );
}
