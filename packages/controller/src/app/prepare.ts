/** What has to be deployed: apps whose files, configuration or way of running differ from what serves. */
import { isDeepStrictEqual } from 'node:util';
import type { DeployRecord, InstanceSpec } from '@silverlining/protocol';
import { SlError } from '@silverlining/protocol';
import { buildSpec } from '../core/release/build-spec.ts';
import { nextInstanceName } from '../core/release/instance-name.ts';
import type { ServiceContext } from '../core/services/index.ts';
import type { SetRecord } from '../ports.ts';
import { servedNow } from './agree.ts';
import { readSecrets } from './converge.ts';
import type { ControllerDeps } from './deps.ts';
import type { ObservedApp } from './observe.ts';
import type { RolloutItem } from './rollout.ts';
import { deployId } from './rollout-record.ts';

/** The set must have its topology: services are found through it. */
export async function splitApps(
  deps: ControllerDeps,
  set: SetRecord,
  apps: readonly ObservedApp[],
): Promise<{ changed: ObservedApp[]; unchanged: ObservedApp[] }> {
  const context = await contextOf(deps, set);
  const changed = apps.filter((it) => differs(it, context));
  return { changed, unchanged: apps.filter((it) => !changed.includes(it)) };
}

async function contextOf(deps: ControllerDeps, { name, config, topology }: SetRecord): Promise<ServiceContext> {
  if (topology === undefined) throw new SlError('E_CONFLICT', `${name} has no servers yet: run sl up first`);
  return { set: config, topology, secrets: await readSecrets(deps, config) };
}

/** Names the new instances, which the nodes have to be connected for: what they have counts too. */
export async function prepareItems(
  deps: ControllerDeps,
  set: SetRecord,
  changed: readonly ObservedApp[],
): Promise<RolloutItem[]> {
  const context = await contextOf(deps, set);
  const deploys = await deps.store.deploys(set.name);
  const nodes = await deps.store.nodes(set.name);
  // A controller that lost its state must not give a name twice.
  const hellos = nodes.flatMap(({ uuid }) => deps.fleet.session(uuid)?.hello ?? []);
  const there = hellos.flatMap(({ instances, active }) => [
    ...instances.map((it) => it.instance),
    ...Object.values(active),
  ]);
  const known = [...(await deps.store.releases(set.name)), ...deploys].map((it) => it.instance);
  const taken = [...known, ...there];
  return changed.map(({ app, scanned, active }): RolloutItem => {
    const instance = nextInstanceName(app.name, deps.clock.now(), taken);
    const spec = buildSpec(app, instance, context);
    const previous = servedNow(deps, set, { nodes, app: app.name });
    return { app, instance, previous, release: scanned, spec, fresh: true, sendable: true, base: active };
  });
}

/** Whether a deploy would bring anything: other files, or another way to run them. */
export function differs({ app, scanned, active }: ObservedApp, context: ServiceContext): boolean {
  if (active === undefined || active.digest !== scanned.digest) return true;
  return !isDeepStrictEqual(ofAnyVersion(active.spec), ofAnyVersion(buildSpec(app, active.instance, context)));
}

/** A new version of Silver Lining alone is no reason to deploy anything. */
function ofAnyVersion({ env, ...spec }: InstanceSpec) {
  const { SILVER_VERSION: _any, ...rest } = env;
  return { ...spec, env: rest };
}

/** The record of an app that had nothing to deploy. */
export function unchangedRecord(
  operation: string,
  set: SetRecord,
  { app, scanned, active }: ObservedApp,
): DeployRecord {
  const instance = active?.instance ?? '';
  return {
    ...{ id: deployId(operation, app.name), app: app.name, instance, previous: instance, outcome: 'unchanged' },
    epoch: set.epoch,
    files: { total: scanned.manifest.files.length, sent: 0 },
    bytes: { total: scanned.bytes, sent: 0, wire: 0 },
    ms: { total: 0, stage: 0, switch: 0, skew: 0 },
  };
}
