/** How each effect of the rollout machine is carried out. One typed table; the machine decides, these do. */
import { SlError, toSlError } from '@silverlining/protocol';
import { orderEpoch } from '../core/release/dispute.ts';
import type { Effect, RolloutState } from '../core/release/rollout-state.ts';
import { writeDecision } from './rollout-commit.ts';
import { itemOf, mark, markAt, nodeOf, type RolloutContext } from './rollout-context.ts';
import { insist, isLost, PATIENCE } from './rollout-insist.ts';
import { requireReach, requireReturn } from './rollout-reach.ts';
import { deployId, type Measured } from './rollout-record.ts';
import { sayProgress, stageOnNode } from './rollout-stage.ts';
import { verify } from './rollout-verify.ts';
import type { Sent } from './stage-target.ts';

type Executor<E extends Effect> = (context: RolloutContext, effect: E, signal: AbortSignal) => Promise<void>;
type Executors = { [K in Effect['do']]: Executor<Extract<Effect, { do: K }>> };

/** Seconds for one `update_fetch` line. */
const HOOK_TIMEOUT = 120;
const ABORT_DEADLINE = 30_000;
/** Seconds for which requests wait when nobody ends it: a balancer that is slow or gone must not keep visitors of the others. */
const HOLD_SECONDS = 2;
const HOLD_DEADLINE = 1_000;

const TABLE: Executors = { stage, hook, commit, hold, switch: switchNode, verify, abort };

/** The table bound to a rollout. */
export function executors(context: RolloutContext): (effect: Effect, signal: AbortSignal) => Promise<void> {
  return <E extends Effect>(effect: E, signal: AbortSignal) => {
    const run = TABLE[effect.do] as Executor<E>;
    return run(context, effect, signal);
  };
}

async function stage(
  context: RolloutContext,
  { node, app }: { node: string; app: string },
  signal: AbortSignal,
): Promise<void> {
  const item = itemOf(context, app);
  const name = nodeOf(context, node).name;
  const report = (status: 'started' | 'ok' | 'failed', text: string) =>
    context.op.emit({ status, action: 'stage', node: name, app, text });
  report('started', `staging ${item.instance}`);
  try {
    const { deps, op, input, onThisMachine } = context;
    const others = input.appservers.map(({ uuid }) => uuid);
    const beside = input.items.reduce((sum, it) => sum + (it === item ? 0 : it.release.bytes), 0);
    const order = { deploy: deployId(op.operationId, app), epoch: orderEpoch(input.set) };
    const onProgress = sayProgress(op, { node: name, app });
    const target = { ...item, ...order, beside, others, onThisMachine, onProgress };
    const sent = await stageOnNode(deps, target, node, signal);
    noteSent(context.measured, app, sent);
    for (const [event, at] of sent.times) markAt(context, { node: name, app, event, at });
  } catch (error) {
    mark(context, name, app, toSlError(error).code === 'E_ABORTED' ? 'given up' : 'failed');
    // What failed elsewhere is the news; here it was only given up for that.
    if (toSlError(error).code === 'E_ABORTED') report('ok', `${item.instance} is given up`);
    else report('failed', error instanceof Error ? error.message : String(error));
    throw ofNode(toSlError(error), name);
  }
  mark(context, name, app, 'staged');
  context.measured.staged = context.deps.clock.monotonic();
  report('ok', `${item.instance} is staged and healthy`);
}

async function hook(
  context: RolloutContext,
  { node, app, turn }: { node: string; app: string; turn: 'primary' | 'secondary' },
  signal: AbortSignal,
): Promise<void> {
  const { deps, op } = context;
  const item = itemOf(context, app);
  const { name } = nodeOf(context, node);
  const fetches = item.app.updateFetch;
  const body = { instance: item.instance, deploy: deployId(op.operationId, app), turn, fetches, timeout: HOOK_TIMEOUT };
  op.emit({ status: 'started', action: 'hook', node: name, app, text: `update_fetch (${turn})` });
  const deadline = (HOOK_TIMEOUT * fetches.length + 10) * 1000;
  const { results } = await deps.fleet.request(node, 'hook', body, { signal, deadline }).catch((error: unknown) => {
    throw isLost(error) ? mayHaveRun(error) : error;
  });
  const bad = results.find((result) => !result.ok);
  if (bad !== undefined) {
    const text = `update_fetch ${bad.fetch} failed on ${name}: ${bad.detail}`;
    op.emit({ status: 'failed', action: 'hook', node: name, app, text });
    mark(context, name, app, 'failed');
    throw new SlError('E_UPDATE_FETCH', text, { details: { node: name, log: bad.detail.split('\n') } });
  }
  mark(context, name, app, 'hook');
  op.emit({ status: 'ok', action: 'hook', node: name, app, text: `update_fetch (${turn}) done` });
}

async function commit(
  context: RolloutContext,
  { direction }: { direction: 'forward' | 'back' },
  signal: AbortSignal,
): Promise<void> {
  const { deps, measured, input } = context;
  const instances = input.items.flatMap((it) => (direction === 'forward' ? it.instance : (it.previous ?? [])));
  // Back is back to what nodes have, whoever can be told of it right now.
  await (direction === 'forward' ? requireReach : requireReturn)(deps.fleet, { ...input, instances }, signal);
  measured.epoch = await writeDecision(context, direction);
  measured.switchStarted = deps.clock.monotonic();
  measured.inForce = [];
  mark(context, 'controller', undefined, direction === 'forward' ? 'committed' : 'committed back');
}

/**
 * Not being able to is no failure: requests that another balancer answers meanwhile may see the releases change twice, which
 * harms less than a deploy that does not come to its end. An older agent does not know of it.
 */
async function hold(
  { deps, op, nodes }: RolloutContext,
  { node, on }: { node: string; on: boolean },
  signal: AbortSignal,
) {
  const body = { seconds: on ? HOLD_SECONDS : 0 };
  try {
    await deps.fleet.request(node, 'hold', body, { signal, deadline: HOLD_DEADLINE });
  } catch (error) {
    const text = `its requests did not wait for the other balancers: ${toSlError(error).message}`;
    if (on) op.emit({ status: 'warning', action: 'switch', node: nodes.get(node)?.name, text });
  }
}

/** Sends what the row says, again when the answer got lost: repeating an epoch is harmless. */
async function switchNode(
  context: RolloutContext,
  { node, decides }: { node: string; decides: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { deps, op, input, measured } = context;
  const row = await deps.store.set(input.set.name);
  if (row === undefined) throw new SlError('E_STORE', `the row of set ${input.set.name} is gone`);
  const body = { epoch: row.epoch, active: row.active, deploy: op.operationId };
  const { at } = await insist(context, { node, signal }, (limited) =>
    deps.fleet.request(node, 'switch', body, { signal: limited, deadline: PATIENCE }),
  );
  const { name } = nodeOf(context, node);
  mark(context, name, undefined, isBack(context.state.phase) ? 'switched back' : 'switched');
  if (!decides) return;
  measured.inForce.push(at);
  measured.switched = deps.clock.monotonic();
  op.emit({
    status: 'ok',
    action: 'switch',
    node: name,
    text: `switched to ${Object.values(row.active).join(', ')}`,
  });
}

async function abort(context: RolloutContext, { node, app }: { node: string; app: string }): Promise<void> {
  const item = itemOf(context, app);
  // A rollback stages what was live before: it stays on the node.
  if (!item.fresh) return;
  const body = { instance: item.instance, deploy: deployId(context.op.operationId, app) };
  // A node that is gone cleans up when it comes back: its staged instance is in no row then.
  if (context.deps.fleet.session(node) === undefined) return;
  const options = { signal: AbortSignal.timeout(ABORT_DEADLINE), deadline: ABORT_DEADLINE };
  await context.deps.fleet.request(node, 'abort', body, options);
}

function noteSent(measured: Measured, app: string, { files, wire }: Sent): void {
  const known = measured.sentFiles.get(app);
  // Of an image it is the same map for all nodes.
  measured.sentFiles.set(app, known === undefined || known === files ? files : mostOf(known, files));
  measured.wire.set(app, (measured.wire.get(app) ?? 0) + wire);
}

function mostOf(some: ReadonlyMap<number, number>, others: ReadonlyMap<number, number>): ReadonlyMap<number, number> {
  const all = new Map(some);
  for (const [index, bytes] of others) all.set(index, Math.max(bytes, all.get(index) ?? 0));
  return all;
}

/** What an app did before its node was silent is nothing that this end can know. */
function mayHaveRun({ code, message, details }: SlError): SlError {
  return new SlError(code, `${message}; update_fetch was under way there and may have run`, { details });
}

/** Whoever found it, the node is the one to look at. */
function ofNode(error: SlError, node: string): SlError {
  if (error.details.node !== undefined) return error;
  return new SlError(error.code, error.message, { cause: error, details: { ...error.details, node } });
}

function isBack(phase: RolloutState['phase']): boolean {
  return phase === 'switching-back' || phase === 'informing-back';
}
