/** The state of a rollout: one or more apps that are staged everywhere and switched as one. */
import type { WireError } from '@silverlining/protocol';

export interface RolloutApp {
  app: string;
  instance: string;
  /** The instance that serves now; null before the first release. */
  previous: string | null;
  /** Whether it has `update_fetch` lines. */
  hooks: boolean;
}

export interface RolloutPlan {
  id: string;
  apps: readonly RolloutApp[];
  /** UUIDs of the nodes that run the apps; the first is the primary of `update_fetch`. */
  appservers: readonly string[];
  /** UUIDs of the nodes whose map decides what visitors get. Empty: each app server's own map decides. */
  balancers: readonly string[];
}

/**
 * Before `committing` nothing has changed for visitors and a failure aborts; after it the row decides and a failure
 * rolls back as one unit. `done`, `aborted` and `rolled-back` are final; `done` means that the row names the new
 * instances, and with errors it is no success.
 */
export type Phase =
  | 'staging'
  | 'hooking-primary'
  | 'hooking-secondaries'
  | 'committing'
  | 'holding'
  | 'switching'
  | 'releasing'
  | 'informing'
  | 'verifying'
  | 'done'
  | 'aborting'
  | 'aborted'
  | 'reverting'
  | 'holding-back'
  | 'switching-back'
  | 'releasing-back'
  | 'informing-back'
  | 'rolled-back';

/** One thing to do; `key` names it in the events that report on it. */
export type Effect = { key: string } & (
  | { do: 'stage'; node: string; app: string }
  | { do: 'hook'; node: string; app: string; turn: 'primary' | 'secondary' }
  | { do: 'commit'; direction: 'forward' | 'back' }
  /** `decides`: the node's map decides what visitors get; the others are told so that their journals agree. */
  | { do: 'switch'; node: string; decides: boolean }
  /** Where several maps decide: new requests wait while they change. */
  | { do: 'hold'; node: string; on: boolean }
  | { do: 'verify'; node: string }
  | { do: 'abort'; node: string; app: string }
);

export type RolloutEvent =
  | { type: 'succeeded'; key: string }
  | { type: 'failed'; key: string; error: WireError }
  /** Ctrl-C, or the operation's deadline. */
  | { type: 'cancelled'; error: WireError };

export interface RolloutState {
  plan: RolloutPlan;
  phase: Phase;
  /** Keys of effects that have not reported yet. */
  pending: readonly string[];
  /** Every failure, in the order in which they were reported; the first decided. */
  errors: readonly WireError[];
}

export interface Transition {
  state: RolloutState;
  /** To be started now, all at once. */
  effects: Effect[];
  /** Effects still running that should be cancelled: their result no longer matters. */
  cancel: readonly string[];
}

const FINAL: ReadonlySet<Phase> = new Set(['done', 'aborted', 'rolled-back']);

export function isFinal(phase: Phase): boolean {
  return FINAL.has(phase);
}
