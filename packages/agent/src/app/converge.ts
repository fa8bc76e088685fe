import {
  type Resource,
  type ResourceOf,
  type ResourceReport,
  type ResourceType,
  resourceId,
  type SlError,
  toSlError,
} from '@silverlining/protocol';
import { addDue, type Due, notPutBack, planActions, withoutUnit } from '../core/converge/notifications.ts';
import type { Applied, ConvergeHost, ConvergeRun, Executor, Executors, StateFile } from '../ports.ts';

export interface ConvergeContext {
  signal: AbortSignal;
  say(text: string, done: number, total: number): void;
}

export interface ConvergeDependencies {
  host: ConvergeHost;
  /** Actions that are due: written before the change that needs them, so that a crash in between forgets none. */
  due: StateFile<Due[]>;
}

/** Says for each resource what `applyResources` would change, and changes nothing. */
export async function checkResources(
  resources: readonly Resource[],
  { host }: ConvergeDependencies,
  context: ConvergeContext,
): Promise<ResourceReport[]> {
  const run = host.open(resources, { signal: context.signal, say: () => undefined });
  const reports: ResourceReport[] = [];
  for (const resource of resources) {
    context.signal.throwIfAborted();
    try {
      reports.push(reportOf(resource, await check(run.executors, resource)));
    } catch (error) {
      reports.push(failureOf(resourceId(resource), toSlError(error)));
    }
  }
  return reports;
}

/**
 * Brings the resources to their wanted state in order, then runs what the changed ones asked for; before a unit starts, what those
 * of other units did. After one that failed
 * the rest is skipped and nothing is reloaded; what is due stays so for the next run.
 */
export async function applyResources(
  resources: readonly Resource[],
  { host, due }: ConvergeDependencies,
  context: ConvergeContext,
): Promise<ResourceReport[]> {
  let at = 0;
  const say = (text: string) => context.say(text, at, resources.length);
  const run = host.open(resources, { signal: context.signal, say });
  const session = {
    run,
    due,
    earlier: new Set((await due.read()).flatMap(({ by }) => by)),
    reports: new Map<string, ResourceReport>(),
    undo: new Map<string, () => Promise<void>>(),
  };
  for (const resource of resources) {
    context.signal.throwIfAborted();
    const id = resourceId(resource);
    session.reports.set(id, hasFailed(session) ? { id, status: 'skipped' } : await bringAbout(resource, session, say));
    at++;
  }
  if (!hasFailed(session)) await notify(session, say);
  return [...session.reports.values()];
}

interface Session {
  run: ConvergeRun;
  due: StateFile<Due[]>;
  /** Ids of resources that an earlier run changed, and whose actions are due since. */
  earlier: ReadonlySet<string>;
  reports: Map<string, ResourceReport>;
  /** How to put back what this run changed, by resource id. */
  undo: Map<string, () => Promise<void>>;
}

async function bringAbout(resource: Resource, session: Session, say: (text: string) => void): Promise<ResourceReport> {
  const id = resourceId(resource);
  try {
    const difference = await check(session.run.executors, resource);
    if (difference === undefined) return reportOf(resource, undefined);
    if (resource.type === 'unit' && resource.running && !(await giveWay(resource.name, session, say)))
      return { id, status: 'skipped' };
    say(id);
    const asked = 'notify' in resource ? resource.notify : undefined;
    if (asked !== undefined) await session.due.write(addDue(await session.due.read(), id, asked));
    await session.run.keepOriginals(resource);
    const applied = await apply(session.run.executors, resource);
    if (applied.undo !== undefined) session.undo.set(id, applied.undo);
    if (applied.settled !== undefined) await forgetDue(applied.settled, session.due);
    return reportOf(resource, difference);
  } catch (error) {
    const coded = toSlError(error);
    if (coded.code === 'E_ABORTED') throw coded;
    return failureOf(id, coded);
  }
}

async function forgetDue(unit: string, due: StateFile<Due[]>): Promise<void> {
  const before = await due.read();
  const after = withoutUnit(before, unit);
  if (after.length < before.length) await due.write(after);
}

function hasFailed({ reports }: Session): boolean {
  return [...reports.values()].some((it) => it.status === 'failed');
}

/**
 * The port of a unit that is to start may be another one's until that has read its changed files. Nothing is done for files that this
 * run has not come to. Returns whether all went well.
 */
async function giveWay(starting: string, session: Session, say: (text: string) => void): Promise<boolean> {
  const due = await session.due.read();
  const waiting = due.filter(
    ({ notification, by }) => notification.unit === starting || !by.every((id) => session.reports.has(id)),
  );
  if (waiting.length < due.length) await notify(session, say, new Set(waiting.map((it) => it.notification.unit)));
  return !hasFailed(session);
}

/** Does what is due, but for units that are to wait. */
async function notify(
  session: Session,
  say: (text: string) => void,
  waiting: ReadonlySet<string> = new Set(),
): Promise<void> {
  await session.run.reloadDaemon();
  const all = await session.due.read();
  const due = all.filter((it) => !waiting.has(it.notification.unit));
  if (due.length === 0) return;
  const left = all.filter((it) => waiting.has(it.notification.unit));
  for (const { unit, action, checks, by } of planActions(due)) {
    say(`${action} ${unit}`);
    if (!(await passes(checks, by, session))) {
      // What an earlier run wrote may be what is back, and was not loaded either.
      const putBack = [...session.undo.keys()].filter((id) => !session.earlier.has(id));
      left.push(...notPutBack(due, unit, new Set(putBack)));
      continue;
    }
    try {
      await session.run.act(unit, action);
    } catch (error) {
      for (const id of by) session.reports.set(id, failureOf(id, toSlError(error)));
      left.push(...due.filter((it) => it.notification.unit === unit));
    }
  }
  await session.due.write(left);
}

/** Runs the checks; when one fails, what this run changed is put back and those resources are failed. */
async function passes(checks: readonly string[][], by: readonly string[], session: Session): Promise<boolean> {
  try {
    for (const argv of checks) await session.run.check(argv);
    return true;
  } catch (error) {
    const coded = toSlError(error);
    if (coded.code === 'E_ABORTED') throw coded;
    for (const id of [...by].reverse()) {
      const undo = session.undo.get(id);
      if (undo !== undefined) await undo();
      const failure = failureOf(id, coded);
      const note = undo === undefined ? '' : '; what was there before is back';
      session.reports.set(id, { ...failure, detail: `${failure.detail}${note}` });
    }
    await session.run.reloadDaemon();
    return false;
  }
}

function check<T extends ResourceType>(executors: Executors, resource: ResourceOf<T>): Promise<string | undefined> {
  return executorOf(executors, resource).check(resource);
}

function apply<T extends ResourceType>(executors: Executors, resource: ResourceOf<T>): Promise<Applied> {
  return executorOf(executors, resource).apply(resource);
}

function executorOf<T extends ResourceType>(executors: Executors, resource: ResourceOf<T>): Executor<T> {
  return executors[resource.type as T];
}

function reportOf(resource: Resource, difference: string | undefined): ResourceReport {
  const id = resourceId(resource);
  return difference === undefined ? { id, status: 'ok' } : { id, status: 'changed', detail: difference };
}

function failureOf(id: string, error: SlError): ResourceReport {
  const { log } = error.details;
  return { id, status: 'failed', detail: error.message, ...(log === undefined ? {} : { log }) };
}
