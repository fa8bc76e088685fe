/** `sl rollback`: a rollout of releases that are still on the nodes. */
import { type ApiRequest, type DeployResult, SlError } from '@silverlining/protocol';
import { leavingNodes } from '../core/plan/plan-up.ts';
import { bytesOf } from '../core/release/manifest-build.ts';
import { lostServices } from '../core/services/index.ts';
import type { DeployRow, NodeRecord, ReleaseRecord, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { servedNow } from './agree.ts';
import { awaitAgents, rollOut } from './deploy.ts';
import type { ControllerDeps } from './deps.ts';
import { withLease } from './lease.ts';
import { membersOf } from './members.ts';
import type { RolloutItem } from './rollout.ts';
import { operationIn } from './rollout-record.ts';
import { unknownSet } from './status.ts';

export async function rollback(
  deps: ControllerDeps,
  op: OperationContext,
  request: ApiRequest<'rollback'>,
): Promise<DeployResult> {
  return withLease(deps, op, { set: request.set, holder: 'sl rollback' }, async (token) => {
    const set = await deps.store.set(request.set);
    if (set === undefined) throw unknownSet(request.set);
    const targets = await Promise.all(
      (await appsOf(deps, set, request)).map((app) => findTarget(deps, set, { app, to: request.to })),
    );
    const nodes = await membersOf(deps, set.name);
    for (const target of targets) requireServices(set, nodes, target);
    for (const target of targets) await announce(deps, op, set, target);
    await awaitAgents(deps, op, { set, nodes });
    const items = targets.map((it) => ({ ...itemOf(it), previous: servedNow(deps, set, { nodes, app: it.app }) }));
    return { deploys: await rollOut(deps, op, { set, token, items, nodes }) };
  });
}

/** What it goes back to, and when that was live. */
async function announce(
  deps: ControllerDeps,
  op: OperationContext,
  set: SetRecord,
  { app, instance, committedAt = 0 }: ReleaseRecord,
): Promise<void> {
  // A release knows of its last commit alone, and one that was rolled back is gone.
  const later = (await deps.store.deploys(set.name)).filter(
    (it) => it.app === app && it.instance !== instance && it.startedAt + it.record.ms.total > committedAt,
  );
  const others = await Promise.all(later.map(({ id }) => deps.store.deploy(id)));
  const switches = others.flatMap((it) => (it === undefined ? [] : switchedAt(it)));
  const until = Math.min(...switches.filter((at) => at > committedAt));
  const end = Number.isFinite(until) ? ` until ${time(until)}` : '';
  const now = set.active[app] === undefined ? 'nothing' : set.active[app];
  const text = `going back to ${instance}, live from ${time(committedAt)}${end}, with its files and configuration; now it is ${now}`;
  op.emit({ status: 'info', action: 'rollback', app, text });
}

function switchedAt({ startedAt, record: { outcome, timeline = [], ms } }: DeployRow): number[] {
  if (outcome !== 'done' && outcome !== 'rolled-back') return [];
  const committed = timeline.find((it) => it.event === 'committed');
  return [startedAt + (committed?.ms ?? ms.total)];
}

function time(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ').concat(' UTC');
}

/** A release brings its environment along, and that says where its services are. E_SERVICE where they are no more. */
function requireServices(
  { name, config, topology }: SetRecord,
  members: readonly NodeRecord[],
  { instance, config: app, spec }: ReleaseRecord,
): void {
  // A node that the file has no more goes on with its services until what replaces them is trusted; the topology may be without it by then.
  const places = [...(topology?.nodes ?? []), ...leavingNodes(config, members)];
  const lost = topology === undefined ? [] : lostServices(app, spec.env, places);
  if (lost.length === 0) return;
  const text = `${instance} looks for ${lost.join(', ')} where ${name} does not have it any more; nothing was switched. Give it its node back in the file, run sl up, then sl rollback --to ${instance}; or deploy the app as it was then`;
  throw new SlError('E_SERVICE', text);
}

/** The app that is named, by itself or by its instance, or all that the last deploy or rollback switched. */
async function appsOf(deps: ControllerDeps, set: SetRecord, { app, to }: ApiRequest<'rollback'>): Promise<string[]> {
  const named = app ?? to?.slice(0, to.lastIndexOf('.'));
  if (named !== undefined) return [knownApp(set, named)];
  const rows = (await deps.store.deploys(set.name)).filter(
    ({ app: of, state, record }) => state === 'ended' && record.outcome === 'done' && of in set.active,
  );
  const last = rows.at(-1);
  if (last === undefined) throw new SlError('E_NOT_FOUND', `${set.name}: nothing was deployed yet`);
  const operation = operationIn(last.id);
  return rows.filter((it) => operationIn(it.id) === operation).map((it) => it.app);
}

/** The app's name; E_USAGE when the set has none of that name, in its file or served. */
export function knownApp({ name, config, active }: SetRecord, app: string): string {
  const known = new Set([...config.apps.map((it) => it.name), ...Object.keys(active)]);
  if (known.has(app)) return app;
  throw new SlError('E_USAGE', `${name} has no app ${JSON.stringify(app)}: it has ${[...known].join(', ') || 'none'}`);
}

/** The named release, or the one that served before the active one and was not taken back when it was switched to last. */
async function findTarget(
  deps: ControllerDeps,
  set: SetRecord,
  { app, to }: { app: string; to: string | undefined },
): Promise<ReleaseRecord> {
  const active = set.active[app];
  const releases = (await deps.store.releases(set.name, app))
    .filter((it) => it.committedAt !== undefined && it.instance !== active)
    .sort((a, b) => (b.committedAt ?? 0) - (a.committedAt ?? 0));
  const failed = to === undefined ? await takenBack(deps, set, app) : [];
  const found = releases.find(({ instance }) => (to === undefined ? !failed.includes(instance) : instance === to));
  const release = found && (await deps.store.release(set.name, found.instance));
  if (release !== undefined) return release;
  if (to !== undefined && to === active) throw new SlError('E_USAGE', `${to} is active already`);
  const wanted = to ?? `earlier release of ${app}`;
  const there = releases.length === 0 ? 'there is none' : `there are ${releases.map((it) => it.instance).join(', ')}`;
  const now = active === undefined ? '' : ` (${active} is active)`;
  throw new SlError('E_NOT_FOUND', `no ${wanted} to go back to: ${there}${now}`);
}

/** Instances that were gone back to in vain: unlike those that a deploy made, they are still there. */
async function takenBack({ store }: ControllerDeps, set: SetRecord, app: string): Promise<string[]> {
  const rows = (await store.deploys(set.name)).filter((it) => it.app === app && it.record.outcome !== 'aborted');
  const last = new Map(rows.map(({ instance, record }) => [instance, record.outcome]));
  return [...last].flatMap(([instance, outcome]) => (outcome === 'rolled-back' ? [instance] : []));
}

/** Hooks do not run again: the release was live already. Its files are on the nodes, not here. */
export function itemOf(target: ReleaseRecord): Omit<RolloutItem, 'previous'> {
  return {
    app: { ...target.config, updateFetch: [] },
    instance: target.instance,
    release: {
      manifest: target.manifest,
      digest: target.digest,
      bytes: bytesOf(target.manifest),
    },
    spec: target.spec,
    fresh: false,
    sendable: false,
    base: target,
  };
}
