/** What a node is told when its agent says hello: what is true now. So a node that missed anything catches up by itself. */
import { nodesWithRole, toSlError } from '@silverlining/protocol';
import { disputes } from '../core/release/dispute.ts';
import { leftovers, neverLive } from '../core/release/leftovers.ts';
import type { AgentSession, SetRecord } from '../ports.ts';
import { type Agreement, hearEpoch } from './agree.ts';
import type { Settler } from './settler.ts';

const HEALTH_INTERVAL = 10_000;
const DEADLINE = 60_000;

/** Greets every agent for as long as the controller runs. */
export function greetAgents(deps: Agreement, settler: Settler, signal: AbortSignal): void {
  deps.fleet.onHello((session) => {
    greet(deps, session, settler, signal).catch((error: unknown) => {
      deps.log.warn(
        { uuid: session.uuid, error: String(error) },
        'greeting an agent failed; it is greeted again when it reconnects',
      );
    });
  });
}

async function greet(deps: Agreement, session: AgentSession, settler: Settler, signal: AbortSignal): Promise<void> {
  const node = await deps.store.node(session.uuid);
  const set = node && (await deps.store.set(node.set));
  if (node === undefined || set === undefined) return;
  await hearEpoch(deps, set, session);
  // A row under which nothing was ever committed has nothing to say about what serves.
  const { epoch, active } = set.committed ? set : session.hello;
  const welcome = { set: set.name, node: node.name, epoch, active, healthInterval: HEALTH_INTERVAL };
  await deps.fleet.request(node.uuid, 'welcome', welcome, { signal, deadline: DEADLINE });
  await tellTopology(deps, session, set, signal);
  // An operation under way cleans up after itself; and what a controller without its memory would take for leftovers may
  // be what serves.
  if (settler.isBusy(set.name) || disputes(set, session.hello)) return;
  await tidy(deps, set, session, signal);
  settler.cameBack(set.name);
}

async function tellTopology({ fleet }: Agreement, session: AgentSession, set: SetRecord, signal: AbortSignal) {
  const { topology } = set;
  if (topology === undefined || topology.generation <= session.hello.generation) return;
  try {
    await fleet.request(session.uuid, 'topology', { topology }, { signal, deadline: DEADLINE });
  } catch (error) {
    // A newer one was stored and told meanwhile.
    if (toSlError(error).code !== 'E_STALE_EPOCH') throw error;
  }
}

/** Where a node has nothing but what is live, nothing has to be looked up for it. */
function hasMore({ hello }: AgentSession, { active }: SetRecord): boolean {
  const live = new Set(Object.values(active));
  return !hello.instances.every((it) => live.has(it.instance));
}

/**
 * Whether every balancer goes by what the row says, or an older one: where one is away, or knows of a commit that this controller
 * does not, what looks staged for nothing may be what visitors get. Settling removes it when all balancers have answered.
 */
async function isUndisputed({ store, fleet }: Agreement, set: SetRecord): Promise<boolean> {
  const balancers = nodesWithRole(await store.nodes(set.name), 'balancer');
  return balancers.every(({ uuid }) => {
    const hello = fleet.session(uuid)?.hello;
    return hello !== undefined && !disputes(set, hello);
  });
}

/**
 * Removes what a rollout left on the node that nobody finished: its row was never committed, so it never will be. Agents remove nothing
 * that another deploy made, so the order is that of the one which did.
 */
async function tidy(deps: Agreement, set: SetRecord, session: AgentSession, signal: AbortSignal): Promise<void> {
  if (!hasMore(session, set)) return;
  const candidates = neverLive(session.hello, set.active, await deps.store.releases(set.name));
  // In this order: most nodes keep releases that were live once, and of a fleet that comes back each would look at all others.
  if (candidates.length === 0 || !(await isUndisputed(deps, set))) return;
  for (const order of leftovers(candidates, await deps.store.deploys(set.name))) {
    await deps.fleet.request(session.uuid, 'abort', order, { signal, deadline: DEADLINE });
  }
}
