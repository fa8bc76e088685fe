/** Watches what was switched to for a while, also when the deploy's command has ended, and says when it has to be taken back. */
import { nodesWithRole, SlError, toWireError, type WireError } from '@silverlining/protocol';
import { type Look, look, startWatch, type Verdict, whomToAsk } from '../core/release/watch.ts';
import type { DeployRow, SetRecord } from '../ports.ts';
import type { ControllerDeps } from './deps.ts';
import { membersOf } from './members.ts';
import { operationIn } from './rollout-record.ts';

export type WatchDeps = Pick<ControllerDeps, 'store' | 'fleet' | 'clock'>;

/** Milliseconds between two looks. */
const LOOK_AGAIN = 1_000;
const LOOK_DEADLINE = 5_000;
const LOG_DEADLINE = 10_000;
const LOG_LINES = 60;
/** Milliseconds after which a release has been live for so long unwatched that taking it back would surprise more than help. */
const TOO_LATE = 600_000;

/** Deploys that have to be taken back, as one, and why. */
export interface Failing {
  rows: DeployRow[];
  error: WireError;
}

/** Watches what is on probation until it is trusted, or failed; `begins` is called where there is anything. */
export async function watchSet(
  deps: WatchDeps,
  name: string,
  signal: AbortSignal,
  begins: () => void = () => undefined,
): Promise<Failing | undefined> {
  const set = await deps.store.set(name);
  const rows = set === undefined ? [] : await onProbation(deps, set);
  if (set !== undefined && rows.length > 0) {
    begins();
    const verdict = await untilVerdict(deps, set, rows, signal);
    if (verdict.is === 'failed') return failing(deps, rows, verdict);
  }
  await endWatch(deps, name);
  return undefined;
}

/** The deploys that what serves came with, where nobody has said yet that it is good. A later one that was given up changes nothing in that. */
export async function onProbation(
  { store, clock }: Pick<WatchDeps, 'store' | 'clock'>,
  { name, active }: SetRecord,
): Promise<DeployRow[]> {
  const ended = (await store.deploys(name)).filter((it) => it.state === 'ended');
  return Object.values(active).flatMap((instance) => {
    const last = ended.findLast((it) => it.instance === instance && it.record.outcome === 'done');
    if (last?.record.watching !== true) return [];
    return clock.now() - last.startedAt - last.record.ms.total < TOO_LATE ? [last] : [];
  });
}

async function untilVerdict(
  deps: WatchDeps,
  set: SetRecord,
  rows: readonly DeployRow[],
  signal: AbortSignal,
): Promise<Verdict> {
  const appservers = nodesWithRole(await membersOf(deps, set.name), 'appserver').map((it) => it.uuid);
  let watch = startWatch(Object.fromEntries(rows.map((it) => [it.app, it.instance])), deps.clock.monotonic());
  for (;;) {
    const looks = await Promise.all(whomToAsk(watch, appservers).map((uuid) => lookAt(deps, uuid, signal)));
    signal.throwIfAborted();
    const next = look(watch, looks, deps.clock.monotonic());
    if (next.verdict.is !== 'open') return next.verdict;
    watch = next.watch;
    await deps.clock.sleep(LOOK_AGAIN, signal);
  }
}

async function lookAt({ fleet }: WatchDeps, uuid: string, signal: AbortSignal): Promise<Look> {
  try {
    const { apps } = await fleet.request(uuid, 'serving', { ask: true }, { signal, deadline: LOOK_DEADLINE });
    return { node: uuid, seen: apps };
  } catch {
    return { node: uuid, seen: undefined };
  }
}

type Failed = Extract<Verdict, { is: 'failed' }>;

async function failing(
  deps: WatchDeps,
  rows: readonly DeployRow[],
  { instance, node: uuid, why, restarts }: Failed,
): Promise<Failing> {
  const node = (await deps.store.node(uuid))?.name ?? uuid;
  const options = { signal: AbortSignal.timeout(LOG_DEADLINE), deadline: LOG_DEADLINE };
  const said = await deps.fleet.request(uuid, 'serving', { ask: true, log: LOG_LINES }, options).catch(() => undefined);
  const log = said?.apps.find((it) => it.instance === instance)?.log ?? [];
  const { id = '' } = rows.find((it) => it.instance === instance) ?? {};
  return {
    rows: rows.filter((it) => operationIn(it.id) === operationIn(id)),
    error: toWireError(
      new SlError(CODES[why], whatFailed({ instance, node, why, restarts }), { details: { node, log } }),
    ),
  };
}

const CODES = { 'crash loop': 'E_APP_CRASHED', unhealthy: 'E_APP_UNHEALTHY' } as const;

function whatFailed({ instance, node, why, restarts }: Omit<Failed, 'is'>): string {
  if (why === 'unhealthy') return `after the switch ${instance} stopped answering its health path, on all nodes`;
  return `after the switch ${instance} crashed again and again: ${node} had to start it ${restarts} more times`;
}

/** Nobody watches any more, but those: what is live is good, and older deploys are none of today's concern. */
export async function endWatch(
  { store }: Pick<WatchDeps, 'store'>,
  name: string,
  but: readonly DeployRow[] = [],
): Promise<void> {
  const watched = new Set(but.map((it) => it.id));
  const isOver = (row: DeployRow) => isWatched(row) && !watched.has(row.id);
  await store.changeDeploys(name, (rows) => rows.filter(isOver).map(unwatched));
}

/** One that is being taken back is watched no more. */
export function isWatched({ state, record }: DeployRow): boolean {
  return state === 'ended' && record.watching === true;
}

function unwatched(row: DeployRow): DeployRow {
  const { watching: _, ...record } = row.record;
  return { ...row, record };
}
