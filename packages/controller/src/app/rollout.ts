/** Runs the rollout machine: starts its effects, feeds it their results, and keeps the journal and the record. */
import { type App, type DeployRecord, type InstanceSpec, SlError, toSlError } from '@silverlining/protocol';
import { startRollout } from '../core/release/reduce.ts';
import type { Phase, RolloutPlan } from '../core/release/rollout-state.ts';
import type { NodeRecord, ScannedRelease, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import { type ControllerDeps, ofProvider } from './deps.ts';
import type { RolloutContext } from './rollout-context.ts';
import { runMachine } from './rollout-machine.ts';
import { deployId, deployRecord, newMeasured } from './rollout-record.ts';
import type { BaseRelease } from './stage-target.ts';
import { countTraffic } from './traffic.ts';

/** One app of a rollout. */
export interface RolloutItem {
  app: App;
  instance: string;
  previous: string | null;
  release: ScannedRelease;
  spec: InstanceSpec;
  /** Whether this rollout made it: then its failure removes it again. A rollback's release was there before. */
  fresh: boolean;
  /** Whether its files are to be had here. */
  sendable: boolean;
  base: BaseRelease | undefined;
}

export interface RolloutInput {
  set: SetRecord;
  /** Fencing token of the lease under which it runs. */
  token: number;
  items: readonly RolloutItem[];
  appservers: readonly NodeRecord[];
  balancers: readonly NodeRecord[];
  /** Apps that its decision leaves out: the file has them no more. */
  leaveOut?: readonly string[];
}

/**
 * Stages the items on every app server, switches them as one, and returns a record for each, whatever the outcome.
 * The caller looks at `outcome`; only what breaks the journal itself is thrown.
 */
export async function rollout(
  deps: ControllerDeps,
  op: OperationContext,
  input: RolloutInput,
): Promise<DeployRecord[]> {
  const context = contextOf(deps, op, input);
  const counted = countTraffic(deps, input.balancers);
  const startedAt = await journalStart(context);
  const stopShowing = showRunning(context);
  try {
    await runMachine(context, startRollout(context.state.plan));
    if (context.state.phase !== 'aborted') context.measured.requests = await counted();
    return await journalEnd(context, startedAt).catch((error: unknown) => {
      throw unrecorded(error, context);
    });
  } finally {
    stopShowing();
  }
}

export function contextOf(deps: ControllerDeps, op: OperationContext, input: RolloutInput): RolloutContext {
  return {
    deps,
    op,
    input,
    nodes: new Map([...input.appservers, ...input.balancers].map((node) => [node.uuid, node])),
    items: new Map(input.items.map((item) => [item.app.name, item])),
    measured: newMeasured(deps.clock.monotonic(), input.set.epoch),
    onThisMachine: ofProvider(deps, input.set.config, 'onThisMachine'),
    unreached: new Set(),
    state: startRollout(planOf(op.operationId, input)).state,
  };
}

function planOf(id: string, { items, appservers, balancers }: RolloutInput): RolloutPlan {
  return {
    id,
    apps: items.map(({ app, instance, previous }) => ({
      app: app.name,
      instance,
      previous,
      hooks: app.updateFetch.length > 0,
    })),
    appservers: appservers.map((node) => node.uuid),
    balancers: balancers.map((node) => node.uuid),
  };
}

/** The records as they are, for who asks while it runs. */
function showRunning(context: RolloutContext): () => void {
  const { deps, input, op } = context;
  const ids = input.items.map((item) => {
    const id = deployId(op.operationId, item.app.name);
    deps.running.set(id, () => deployRecord(context, item, deps.clock.monotonic()));
    return id;
  });
  return () => {
    for (const id of ids) deps.running.delete(id);
  };
}

/** Returns when it began, milliseconds since 1970. */
async function journalStart(context: RolloutContext): Promise<number> {
  const { deps, input, measured } = context;
  const now = deps.clock.now();
  for (const item of input.items) {
    const { app, instance, release, spec } = item;
    if (item.fresh) {
      const { manifest, digest, text } = release;
      const row = { instance, set: input.set.name, app: app.name, digest, manifest, spec, config: app };
      await deps.store.putRelease({ ...row, createdAt: now, committedAt: undefined }, text);
    }
    const record = deployRecord(context, item, measured.start);
    await deps.store.putDeploy({
      id: record.id,
      set: input.set.name,
      app: app.name,
      instance,
      state: 'staging',
      record,
      startedAt: now,
    });
  }
  return now;
}

async function journalEnd(context: RolloutContext, startedAt: number): Promise<DeployRecord[]> {
  const { deps, input } = context;
  const now = deps.clock.monotonic();
  const set = input.set.name;
  const active = (await deps.store.set(set))?.active ?? {};
  const records: DeployRecord[] = [];
  for (const item of input.items) {
    const { app, instance } = item;
    const record = deployRecord(context, item, now);
    const row = await deps.store.deploy(record.id);
    // Whoever took this over has ended it otherwise, or is taking it back: what came of it is for them to say.
    const isEnded = row?.state === 'ended' && row.record.outcome !== record.outcome;
    records.push(isEnded ? row.record : record);
    if (isEnded || (record.outcome === 'done' && active[app.name] !== instance)) continue;
    // First: of a deploy that has ended nobody removes it any more, and it would be one to go back to.
    if (record.outcome !== 'done' && item.fresh) await deps.store.deleteReleases(set, [instance]);
    await deps.store.putDeploy({ id: record.id, set, app: app.name, instance, state: 'ended', record, startedAt });
  }
  return records;
}

/** Of a rollout that is over and cannot be recorded: what there is to say of it has no other place. */
function unrecorded(cause: unknown, { state }: RolloutContext): SlError {
  const { code, message, details } = toSlError(cause);
  const [why] = state.errors;
  const text = `${message}. ${LEFT[state.phase]}${why === undefined ? '' : `: ${why.message}`}`;
  return new SlError(code, text, { cause, details });
}

const LEFT: Partial<Record<Phase, string>> = {
  done: 'What was deployed is live all the same',
  aborted: 'Nothing was switched',
  'rolled-back': 'What was live before is live again',
};
