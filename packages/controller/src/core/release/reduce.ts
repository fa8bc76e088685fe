/** The rollout's state machine: every change of a rollout goes through `reduce`. Pure. */
import type { WireError } from '@silverlining/protocol';
import {
  type Effect,
  isFinal,
  type Phase,
  type RolloutEvent,
  type RolloutPlan,
  type RolloutState,
  type Transition,
} from './rollout-state.ts';

/** The first state and what to start with. */
export function startRollout(plan: RolloutPlan): Transition {
  return enter({ plan, phase: 'staging', pending: [], errors: [] }, 'staging');
}

/** A rollout that was done long since, and has to be taken back as one unit for what was seen of it afterwards. */
export function startReverting(plan: RolloutPlan, error: WireError): Transition {
  return enter({ plan, phase: 'verifying', pending: [], errors: [error] }, 'reverting');
}

/** Takes in what was reported. Final states and reports on effects that nobody waits for change nothing. */
export function reduce(state: RolloutState, event: RolloutEvent): Transition {
  if (isFinal(state.phase)) return unchanged(state);
  if (event.type === 'cancelled') return cancelled(state, event.error);
  if (!state.pending.includes(event.key)) return unchanged(state);
  const rest = { ...state, pending: state.pending.filter((key) => key !== event.key) };
  if (event.type === 'failed') return failed(rest, event.error);
  return rest.pending.length > 0 ? unchanged(rest) : advance(rest);
}

/** Where a phase leads when all its effects succeeded. */
const NEXT: { [P in Phase]?: Phase } = {
  staging: 'hooking-primary',
  'hooking-primary': 'hooking-secondaries',
  'hooking-secondaries': 'committing',
  committing: 'holding',
  holding: 'switching',
  switching: 'releasing',
  releasing: 'informing',
  informing: 'verifying',
  verifying: 'done',
  aborting: 'aborted',
  reverting: 'holding-back',
  'holding-back': 'switching-back',
  'switching-back': 'releasing-back',
  'releasing-back': 'informing-back',
  'informing-back': 'rolled-back',
};

/**
 * Where a phase leads when one of its effects failed. A phase that is missing goes on: once committed, a node that
 * could not be told learns it from the row when it comes back, and cleaning up never stops half-way.
 */
const ON_FAILURE: { [P in Phase]?: Phase } = {
  staging: 'aborting',
  'hooking-primary': 'aborting',
  'hooking-secondaries': 'aborting',
  committing: 'aborting',
  verifying: 'reverting',
  // The row could not be written back, so what it says stands: it is what every node goes to.
  reverting: 'done',
};

/** Not a word from the node is no verdict on the release: the node goes by the row when it is back. */
const UNKNOWN: ReadonlySet<WireError['code']> = new Set(['E_NODE_DISCONNECTED', 'E_DEADLINE']);

/** Phases in which a cancellation still aborts: nothing has been decided. */
const CANCELLABLE: ReadonlySet<Phase> = new Set(['staging', 'hooking-primary', 'hooking-secondaries']);

/** What each phase starts. Final phases start nothing. */
const EFFECTS: { [P in Phase]: (plan: RolloutPlan) => Effect[] } = {
  staging: (plan) =>
    each(plan, plan.appservers, (node, app) => ({ key: `stage ${node} ${app}`, do: 'stage', node, app })),
  'hooking-primary': (plan) => hooks(plan, plan.appservers.slice(0, 1), 'primary'),
  'hooking-secondaries': (plan) => hooks(plan, plan.appservers.slice(1), 'secondary'),
  committing: () => [{ key: 'commit forward', do: 'commit', direction: 'forward' }],
  holding: (plan) => holds(plan, true),
  switching: (plan) => switches(deciders(plan), true),
  releasing: (plan) => holds(plan, false),
  informing: (plan) => switches(followers(plan), false),
  verifying: (plan) => plan.appservers.map((node) => ({ key: `verify ${node}`, do: 'verify', node })),
  aborting: (plan) =>
    each(plan, plan.appservers, (node, app) => ({ key: `abort ${node} ${app}`, do: 'abort', node, app })),
  reverting: () => [{ key: 'commit back', do: 'commit', direction: 'back' }],
  'holding-back': (plan) => holds(plan, true),
  'switching-back': (plan) => switches(deciders(plan), true),
  'releasing-back': (plan) => holds(plan, false),
  'informing-back': (plan) => switches(followers(plan), false),
  done: () => [],
  aborted: () => [],
  'rolled-back': () => [],
};

function unchanged(state: RolloutState): Transition {
  return { state, effects: [], cancel: [] };
}

function advance(state: RolloutState): Transition {
  const next = NEXT[state.phase];
  return next === undefined ? unchanged(state) : enter(state, next);
}

/** Enters a phase; one without effects is passed through at once. */
function enter(state: RolloutState, phase: Phase): Transition {
  const effects = EFFECTS[phase](state.plan);
  const entered = { ...state, phase, pending: effects.map((effect) => effect.key) };
  if (effects.length === 0 && !isFinal(phase)) return advance(entered);
  return { state: entered, effects, cancel: [] };
}

function failed(state: RolloutState, error: WireError): Transition {
  const noted = { ...state, errors: [...state.errors, error] };
  const isVerdict = state.phase !== 'verifying' || !UNKNOWN.has(error.code);
  const next = isVerdict ? ON_FAILURE[state.phase] : undefined;
  if (next !== undefined) return { ...enter(noted, next), cancel: state.pending };
  return noted.pending.length > 0 ? unchanged(noted) : advance(noted);
}

function cancelled(state: RolloutState, error: WireError): Transition {
  return CANCELLABLE.has(state.phase) ? failed(state, error) : unchanged(state);
}

function each(plan: RolloutPlan, nodes: readonly string[], make: (node: string, app: string) => Effect): Effect[] {
  return nodes.flatMap((node) => plan.apps.map(({ app }) => make(node, app)));
}

function hooks(plan: RolloutPlan, nodes: readonly string[], turn: 'primary' | 'secondary'): Effect[] {
  const apps = plan.apps.filter((it) => it.hooks);
  return each({ ...plan, apps }, nodes, (node, app) => ({ key: `hook ${node} ${app}`, do: 'hook', node, app, turn }));
}

function switches(nodes: readonly string[], decides: boolean): Effect[] {
  return nodes.map((node) => ({ key: `switch ${node}`, do: 'switch', node, decides }));
}

/** One balancer changes its map in one step; app servers have no way to let requests wait. */
function holds({ balancers }: RolloutPlan, on: boolean): Effect[] {
  if (balancers.length < 2) return [];
  return balancers.map((node) => ({ key: `${on ? 'hold' : 'release'} ${node}`, do: 'hold', node, on }));
}

function deciders(plan: RolloutPlan): readonly string[] {
  return plan.balancers.length > 0 ? plan.balancers : plan.appservers;
}

function followers(plan: RolloutPlan): readonly string[] {
  return plan.balancers.length > 0 ? plan.appservers.filter((node) => !plan.balancers.includes(node)) : [];
}
