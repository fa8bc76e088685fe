/** Brings nodes that lack a release that is live, new ones and such that lost it, to where they can serve it. */
import type { InstanceReport } from '@silverlining/protocol';
import { orderEpoch } from '../core/release/dispute.ts';
import type { NodeRecord, ReleaseRecord, ScannedRelease, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { type ControllerDeps, onEach } from './deps.ts';
import { type StageTarget, stageOnNode } from './rollout-stage.ts';

const ASK_DEADLINE = 30_000;
const SWITCH_DEADLINE = 30_000;

/** Returns how many releases were brought to nodes. The map does not change: what is live stays live. */
export async function backfill(
  deps: ControllerDeps,
  op: OperationContext,
  {
    set,
    appservers,
    scanned,
  }: { set: SetRecord; appservers: readonly NodeRecord[]; scanned: ReadonlyMap<string, ScannedRelease> },
): Promise<number> {
  const releases = (await deps.store.releases(set.name)).filter((it) => set.active[it.app] === it.instance);
  if (releases.length === 0) return 0;
  const counts = await onEach(appservers, async (node) => {
    const options = { signal: op.signal, deadline: ASK_DEADLINE };
    const here = await deps.fleet.request(node.uuid, 'serving', { ask: false }, options);
    const lacking = releases.filter((it) => !serves(here.instances, it.instance));
    for (const release of lacking) await bring(deps, op, { set, node, release, scanned });
    if (lacking.length > 0 || here.epoch < set.epoch) await inform(deps, op, set, node);
    return lacking.length;
  });
  return counts.reduce((sum, it) => sum + it, 0);
}

function serves(here: readonly InstanceReport[], instance: string): boolean {
  return here.some((it) => it.instance === instance && (it.state === 'active' || it.state === 'staged'));
}

interface Bring {
  set: SetRecord;
  node: NodeRecord;
  release: ReleaseRecord;
  scanned: ReadonlyMap<string, ScannedRelease>;
}

async function bring(
  deps: ControllerDeps,
  op: OperationContext,
  { set, node, release, scanned }: Bring,
): Promise<void> {
  const { app, instance, digest, manifest, spec, config } = release;
  const say = (status: 'started' | 'changed', text: string) =>
    op.emit({ status, action: 'stage', node: node.name, app, text });
  say('started', `bringing ${instance}, which is live`);
  const here = scanned.get(app);
  const target: StageTarget = {
    ...{ app: config, instance, spec, deploy: `${op.operationId}.${app}`, epoch: orderEpoch(set) },
    release: here?.digest === digest ? here : { manifest, digest, bytes: 0 },
    // Its files can be sent only while the folder still is what was deployed; the content store may have them all.
    sendable: here?.digest === digest,
  };
  await stageOnNode(deps, target, node.uuid, op.signal);
  say('changed', `${instance} is staged and healthy`);
}

/** The row as it stands: repeating the newest epoch is harmless, and the node's own map is in force with it. */
export async function inform(
  deps: ControllerDeps,
  op: OperationContext,
  set: Pick<SetRecord, 'epoch' | 'active'>,
  node: NodeRecord,
): Promise<void> {
  const { epoch, active } = set;
  await deps.fleet.request(node.uuid, 'switch', { epoch, active }, { signal: op.signal, deadline: SWITCH_DEADLINE });
}
