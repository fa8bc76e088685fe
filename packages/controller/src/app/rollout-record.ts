/** What is measured during a rollout, and the records made of it. */
import type { DeployRecord, WireError } from '@silverlining/protocol';
import type { RolloutState } from '../core/release/rollout-state.ts';
import type { RolloutItem } from './rollout.ts';
import type { RolloutContext } from './rollout-context.ts';

export interface Measured {
  /** Monotonic milliseconds at the start. */
  start: number;
  staged: number | undefined;
  switchStarted: number | undefined;
  switched: number | undefined;
  /** The clocks of the deciding nodes when their map was in force, milliseconds since 1970. */
  inForce: number[];
  epoch: number;
  /** By app: the most bytes that any node lacked of each file, by its index in the manifest. */
  sentFiles: Map<string, ReadonlyMap<number, number>>;
  /** Bytes over the wire, all nodes together, by app. */
  wire: Map<string, number>;
  timeline: { node: string; app: string | undefined; event: string; at: number }[];
  requests: DeployRecord['requests'];
}

export function newMeasured(start: number, epoch: number): Measured {
  return {
    start,
    staged: undefined,
    switchStarted: undefined,
    switched: undefined,
    inForce: [],
    epoch,
    sentFiles: new Map(),
    wire: new Map(),
    timeline: [],
    requests: undefined,
  };
}

/** The record of one app's part in a rollout, as far as it is by `now`, in monotonic milliseconds. */
export function deployRecord({ op, state, measured }: RolloutContext, item: RolloutItem, now: number): DeployRecord {
  const sent = [...(measured.sentFiles.get(item.app.name)?.values() ?? [])];
  const { files } = item.release.manifest;
  return {
    id: deployId(state.plan.id, item.app.name),
    app: item.app.name,
    instance: item.instance,
    previous: item.previous,
    outcome: OUTCOME[state.phase] ?? 'aborted',
    epoch: measured.epoch,
    ...errorOf(state.errors),
    files: { total: files.length, sent: sent.length },
    bytes: {
      total: item.release.bytes,
      sent: sent.reduce((sum, bytes) => sum + bytes, 0),
      wire: measured.wire.get(item.app.name) ?? 0,
    },
    ms: times(measured, now),
    ...(measured.requests === undefined ? {} : { requests: measured.requests }),
    timeline: [...measured.timeline]
      .sort((a, b) => a.at - b.at)
      .filter((it) => it.app === undefined || it.app === item.app.name)
      .map(({ node, event, at }) => ({ node, event, ms: round(at - measured.start) })),
    ...(op.by === undefined ? {} : { by: op.by }),
    ...(state.phase === 'done' ? { watching: true as const } : {}),
  };
}

/** The id of one app's deploy: the operation's, and the app. `sl deploy --attach` takes either. */
export function deployId(operation: string, app: string): string {
  return `${operation}.${app}`;
}

/** The operation of a deploy's id; another id is an operation's own. */
export function operationIn(id: string): string {
  return id.split('.')[0] ?? id;
}

const OUTCOME: Partial<Record<RolloutState['phase'], DeployRecord['outcome']>> = {
  done: 'done',
  aborted: 'aborted',
  'rolled-back': 'rolled-back',
};

function errorOf(errors: readonly WireError[]): { error?: WireError } {
  const [first, ...rest] = errors;
  if (first === undefined) return {};
  return { error: rest.length === 0 ? first : { ...first, details: { ...first.details, others: rest } } };
}

function times(measured: Measured, now: number): DeployRecord['ms'] {
  const { start, staged, switchStarted, switched, inForce } = measured;
  return {
    total: round(now - start),
    stage: round((staged ?? now) - start),
    switch: switched === undefined || switchStarted === undefined ? 0 : round(switched - switchStarted),
    skew: inForce.length < 2 ? 0 : Math.max(...inForce) - Math.min(...inForce),
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
