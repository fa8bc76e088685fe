/** Decisions about instances: pure, from what the journal and the committed map say. */
import type { ActiveMap, InstanceReport, RequestBody } from '@silverlining/protocol';
import type { CommittedMap, InstanceJournal } from './journal.ts';

export const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

/** Ports to try, lowest first, without those that an instance already has. */
export function* candidatePorts(taken: Iterable<number>): Generator<number> {
  const used = new Set(taken);
  for (let port = FIRST_PORT; port <= LAST_PORT; port++) {
    if (!used.has(port)) yield port;
  }
}

export interface Settlement {
  /** Running now, to be stopped and kept. */
  stop: string[];
  /** To be stopped where they run, and removed. */
  remove: string[];
}

/** What `settle` does: never to the active instance, and never to one that is being staged. */
export function settlement(
  order: RequestBody<'settle'>,
  journals: readonly InstanceJournal[],
  active: ActiveMap,
): Settlement {
  const mine = journals.filter((it) => it.spec.app === order.app && it.state !== 'staging');
  const idle = mine.filter((it) => active[order.app] !== it.instance);
  const keep = new Set([...order.keep, ...order.running]);
  const removed = idle.filter((it) => !keep.has(it.instance));
  const stopped = idle.filter(
    (it) => keep.has(it.instance) && it.state === 'prepared' && !order.running.includes(it.instance),
  );
  return { stop: names(stopped), remove: names(removed) };
}

/** What is left to be done of an app's instances that were stopped or removed in part; never to the active one. */
export function unfinishedOf(
  app: string,
  unfinished: ReadonlyMap<string, 'stop' | 'remove'>,
  active: ActiveMap,
): Settlement {
  const idle = [...unfinished].filter(([instance]) => appOf(instance) === app && active[app] !== instance);
  const which = (wanted: 'stop' | 'remove') => idle.filter(([, what]) => what === wanted).map(([instance]) => instance);
  return { stop: which('stop'), remove: which('remove') };
}

/** The app that an instance is of. */
export function appOf(instance: string): string {
  return instance.slice(0, instance.lastIndexOf('.'));
}

/** What `abort` does to an instance: nothing that another deploy made is removed. */
export function abortion(
  order: RequestBody<'abort'>,
  journal: InstanceJournal | undefined,
): 'nothing' | 'remove' | 'stop' {
  if (journal === undefined) return 'nothing';
  return journal.deploy === order.deploy ? 'remove' : 'stop';
}

/** Apps whose active instance this node cannot serve. */
export function missingActive(journals: readonly InstanceJournal[], active: ActiveMap): string[] {
  const prepared = new Set(journals.filter((it) => it.state === 'prepared').map((it) => it.instance));
  return Object.keys(active).filter((app) => !prepared.has(active[app] ?? ''));
}

/**
 * Whether the node may get requests: it can serve what it has committed to, and what it has heard of since. One that knows of
 * neither waits until it is told: it may be new where others serve already.
 */
export function holdsAll(
  journals: readonly InstanceJournal[],
  committed: Pick<CommittedMap, 'epoch' | 'active'>,
  heard: { active: ActiveMap } | undefined,
): boolean {
  if (committed.epoch === 0 && heard === undefined) return false;
  return [committed.active, heard?.active ?? {}].every((active) => missingActive(journals, active).length === 0);
}

/**
 * Whether balancers may ask for what could not be started: it was voted for since the newest commit that the node knows of, so it may
 * have been switched to, and nobody has told the node yet.
 */
export function isInDoubt(
  unstarted: readonly InstanceJournal[],
  committed: Pick<CommittedMap, 'epoch'>,
  heard: object | undefined,
): boolean {
  return heard === undefined && unstarted.some((it) => it.state === 'prepared' && it.epoch >= committed.epoch);
}

const STATES = { staging: 'staging', prepared: 'staged', stopped: 'stopped', failed: 'failed' } as const;

export function instanceReports(journals: readonly InstanceJournal[], active: ActiveMap): InstanceReport[] {
  return journals.map((it) => ({
    app: it.spec.app,
    instance: it.instance,
    state: active[it.spec.app] === it.instance && it.state === 'prepared' ? 'active' : STATES[it.state],
    digest: it.digest,
  }));
}

function names(journals: readonly InstanceJournal[]): string[] {
  return journals.map((it) => it.instance).sort();
}
