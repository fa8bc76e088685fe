/** The end of a release's story: when the one that it took the place of was stopped, on each node. */
import type { DeployRow, Store, Timeline } from '../ports.ts';

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
  store: Pick<Store, 'deploys' | 'addToTimeline'>,
  set: string,
  drained: readonly Drained[],
): Promise<void> {
  if (drained.every((it) => it.stopped.length === 0)) return;
  for (const [id, timeline] of happenings(await store.deploys(set), drained)) await store.addToTimeline(id, timeline);
}

/** By deploy. */
function happenings(rows: readonly DeployRow[], drained: readonly Drained[]): Map<string, Timeline> {
  const ended = rows.filter((it) => it.state === 'ended').reverse();
  const told = new Map<string, Timeline>();
  for (const { node, app, stopped, at } of drained) {
    const row = ended.find((it) => it.app === app && stopped.includes(leftBehind(it)));
    if (row === undefined) continue;
    const timeline = told.get(row.id) ?? [];
    timeline.push({ node, event: 'drained', ms: at - row.startedAt });
    told.set(row.id, timeline);
  }
  return told;
}

/** The instance that the deploy left without visitors; empty where there was none. */
function leftBehind({ instance, record: { outcome, previous } }: DeployRow): string {
  if (outcome === 'rolled-back') return instance;
  return outcome === 'done' ? (previous ?? '') : '';
}
