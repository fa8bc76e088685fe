/** The end of a release's story: when the one that it took the place of was stopped, on each node. */
import type { DeployRow, Store } from '../ports.ts';

export interface Drained {
  /** The node's name. */
  node: string;
  app: string;
  /** Instances that were stopped there. */
  stopped: readonly string[];
  /** Milliseconds since 1970. */
  at: number;
}

/** Adds it to the records of the newest deploys that these instances gave way to, or that were themselves taken back. */
export async function recordDrained(
  store: Pick<Store, 'changeDeploys'>,
  set: string,
  drained: readonly Drained[],
): Promise<void> {
  if (drained.every((it) => it.stopped.length === 0)) return;
  await store.changeDeploys(set, (rows) => withDrained(rows, drained));
}

/** Those of the rows that have something added to them. */
function withDrained(rows: readonly DeployRow[], drained: readonly Drained[]): DeployRow[] {
  const ended = rows.filter((it) => it.state === 'ended').reverse();
  const told = new Map<string, DeployRow>();
  for (const { node, app, stopped, at } of drained) {
    const found = ended.find((it) => it.app === app && stopped.includes(leftBehind(it)));
    if (found === undefined) continue;
    const row = told.get(found.id) ?? found;
    const timeline = [...(row.record.timeline ?? []), { node, event: 'drained', ms: at - row.startedAt }];
    told.set(row.id, { ...row, record: { ...row.record, timeline } });
  }
  return [...told.values()];
}

/** The instance that the deploy left without visitors; empty where there was none. */
function leftBehind({ instance, record: { outcome, previous } }: DeployRow): string {
  if (outcome === 'rolled-back') return instance;
  return outcome === 'done' ? (previous ?? '') : '';
}
