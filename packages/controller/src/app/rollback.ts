/** `sl rollback`: a rollout of releases that are still on the nodes. */
import { type ApiRequest, type DeployResult, SlError } from '@silverlining/protocol';
import type { ReleaseRecord, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { rollOut } from './deploy.ts';
import type { ControllerDeps } from './deps.ts';
import { withLease } from './lease.ts';
import type { RolloutItem } from './rollout.ts';
import { unknownSet } from './status.ts';

export async function rollback(
  deps: ControllerDeps,
  op: OperationContext,
  request: ApiRequest<'rollback'>,
): Promise<DeployResult> {
  return withLease(deps, op, { set: request.set, holder: 'sl rollback' }, async (token) => {
    const set = await deps.store.set(request.set);
    if (set === undefined) throw unknownSet(request.set);
    const target = await findTarget(deps, set, request);
    const live = new Date(target.committedAt ?? target.createdAt).toISOString();
    const text = `going back to ${target.instance}, live since ${live}`;
    op.emit({ status: 'info', action: 'rollback', app: target.app, text });
    return { deploys: await rollOut(deps, op, { set, token, items: [itemOf(set, target)] }) };
  });
}

/** The named release, or the one that served before the active one. */
async function findTarget(
  deps: ControllerDeps,
  set: SetRecord,
  { app, to }: ApiRequest<'rollback'>,
): Promise<ReleaseRecord> {
  const name = app ?? (to === undefined ? onlyApp(set) : to.slice(0, to.lastIndexOf('.')));
  const active = set.active[name];
  const releases = (await deps.store.releases(set.name, name))
    .filter((it) => it.committedAt !== undefined && it.instance !== active)
    .sort((a, b) => (b.committedAt ?? 0) - (a.committedAt ?? 0));
  const found = to === undefined ? releases[0] : releases.find((it) => it.instance === to);
  if (found !== undefined) return found;
  const there = releases.length === 0 ? 'there is none' : `there are ${releases.map((it) => it.instance).join(', ')}`;
  const active_ = active === undefined ? '' : ` (${active} is active)`;
  throw new SlError(
    'E_NOT_FOUND',
    `no release ${to ?? ''} of ${name} to go back to: ${there}${active_}`.replace('  ', ' '),
  );
}

function onlyApp(set: SetRecord): string {
  const apps = set.config.apps.map((it) => it.name);
  const [only] = apps;
  if (only !== undefined && apps.length === 1) return only;
  throw new SlError('E_USAGE', `name the app to roll back: ${apps.join(', ')}`);
}

/** Hooks do not run again: the release was live already. Its files are on the nodes, not here. */
function itemOf(set: SetRecord, target: ReleaseRecord): RolloutItem {
  return {
    app: { ...target.config, updateFetch: [] },
    instance: target.instance,
    previous: set.active[target.app] ?? null,
    release: {
      manifest: target.manifest,
      digest: target.digest,
      bytes: target.manifest.files.reduce((sum, file) => sum + file.size, 0),
    },
    spec: target.spec,
    fresh: false,
    sendable: false,
  };
}
