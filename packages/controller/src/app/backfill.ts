/** Brings nodes that lack a release that is live, new ones and such that lost it, to where they can serve it. */
import { type InstanceReport, nodesWithRole } from '@silverlining/protocol';
import { orderEpoch } from '../core/release/dispute.ts';
import { bytesOf } from '../core/release/manifest-build.ts';
import type { NodeRecord, ReleaseRecord, ScannedRelease, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { agree } from './agree.ts';
import { type ControllerDeps, ofProvider, onEach } from './deps.ts';
import { NotWhole, sayProgress, stageOnNode } from './rollout-stage.ts';
import type { StageTarget } from './stage-target.ts';

const ASK_DEADLINE = 30_000;
const SWITCH_DEADLINE = 30_000;

export interface Backfilled {
  /** The row that nodes were told. */
  set: SetRecord;
  /** How many releases were brought to nodes. */
  brought: number;
  /** Whether all app servers have what is live now. */
  isWhole: boolean;
}

/**
 * What is live stays live. Where nodes have something else in force than the row says, the row is committed anew, but only when
 * all app servers can serve what it names: until something is deployed that they can, they go on with what they have.
 */
export async function backfill(
  deps: ControllerDeps,
  op: OperationContext,
  { set, token, nodes, scanned }: BackfillInput,
): Promise<Backfilled> {
  const live = await Promise.all(Object.values(set.active).map((it) => deps.store.release(set.name, it)));
  const releases = live.filter((it) => it !== undefined);
  const onThisMachine = ofProvider(deps, set.config, 'onThisMachine');
  const seen = await onEach(nodesWithRole(nodes, 'appserver'), async (node) => {
    const options = { signal: op.signal, deadline: ASK_DEADLINE };
    const here = await deps.fleet.request(node.uuid, 'serving', { ask: false }, options);
    const lacking = releases.filter((it) => !serves(here.instances, it.instance));
    let brought = 0;
    for (const release of lacking) if (await bring(deps, op, { set, node, release, scanned, onThisMachine })) brought++;
    return { node, epoch: here.epoch, lacked: lacking.length, brought };
  });
  const brought = seen.reduce((sum, it) => sum + it.brought, 0);
  if (seen.some((it) => it.brought < it.lacked)) return { set, brought, isWhole: false };
  const row = (await agree(deps, { name: set.name, token, nodes })) ?? set;
  const late = seen.filter(({ epoch, lacked }) => row.committed && (lacked > 0 || epoch < row.epoch));
  await onEach(
    late.map(({ node }) => node),
    (node) => inform(deps, op, row, node),
  );
  return { set: row, brought, isWhole: true };
}

export interface BackfillInput {
  set: SetRecord;
  /** Fencing token of the lease. */
  token: number;
  /** All nodes of the set, connected. */
  nodes: readonly NodeRecord[];
  scanned: ReadonlyMap<string, ScannedRelease>;
}

function serves(here: readonly InstanceReport[], instance: string): boolean {
  return here.some((it) => it.instance === instance && (it.state === 'active' || it.state === 'staged'));
}

interface Bring {
  set: SetRecord;
  node: NodeRecord;
  release: ReleaseRecord;
  scanned: ReadonlyMap<string, ScannedRelease>;
  onThisMachine: boolean;
}

/** Returns false where the node cannot have it: files are missing that are nowhere to be had. */
async function bring(
  deps: ControllerDeps,
  op: OperationContext,
  { set, node, release, scanned, onThisMachine }: Bring,
): Promise<boolean> {
  const { app, instance, digest, manifest, spec, config } = release;
  const say = (status: 'started' | 'changed' | 'info', text: string) =>
    op.emit({ status, action: 'stage', node: node.name, app, text });
  say('started', `bringing ${instance}, which is live`);
  const here = scanned.get(app);
  const target: StageTarget = {
    ...{ app: config, instance, spec, deploy: `${op.operationId}.${app}`, epoch: orderEpoch(set) },
    release: here?.digest === digest ? here : { manifest, digest, bytes: bytesOf(manifest) },
    // Its files can be sent only while the folder still is what was deployed; the content store may have them all.
    sendable: here?.digest === digest,
    // One after the other.
    beside: 0,
    // What is lacking and not here any more is about to be replaced: this is for what is live and stays so.
    ...{ others: [], base: undefined, onThisMachine },
    onProgress: sayProgress(op, { node: node.name, app }),
  };
  try {
    await stageOnNode(deps, target, node.uuid, op.signal);
  } catch (error) {
    if (!(error instanceof NotWhole)) throw error;
    say('info', `${instance} cannot be brought any more: no requests come here until something else is live`);
    return false;
  }
  say('changed', `${instance} is staged and healthy`);
  return true;
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
