/** Brings one node up to where its agent is connected: create or start it, bootstrap it, wait for its hello. */
import { isDeepStrictEqual } from 'node:util';
import { SlError, type WantedNode } from '@silverlining/protocol';
import { advertised, isTold, toldOf } from '../core/controller-address.ts';
import { movedTo } from '../core/machine-change.ts';
import type { NodeRecord, Provider, ProviderNode, SetRecord } from '../ports.ts';
import type { OperationContext } from '../service.ts';
import type { ControllerDeps } from './deps.ts';
import { takesOrders } from './trust.ts';

/** Milliseconds for an agent that was set up earlier to reconnect after its node was started. */
const RECONNECT = 45_000;
/** Milliseconds for a new agent's first hello. */
const FIRST_HELLO = 60_000;

type RaiseDeps = Pick<ControllerDeps, 'store' | 'fleet' | 'bootstrapper' | 'ids' | 'clock' | 'orderKey'>;
type RaiseContext = Pick<OperationContext, 'signal' | 'emit'>;

export interface RaiseRequest {
  set: Pick<SetRecord, 'name' | 'config'>;
  provider: Pick<Provider, 'create' | 'start'>;
  wanted: WantedNode;
  /** The provider's size for it, should it have to be created. */
  size: string | undefined;
  record: NodeRecord | undefined;
  found: ProviderNode | undefined;
  /** Runs what is work for this machine or the provider when it is this node's turn. Waiting for an agent is none. */
  inTurn<R>(work: () => Promise<R>): Promise<R>;
}

/** What the controller knows of a machine on which it has not been. The generation of certificates goes on. */
const NEVER_SET_UP: Pick<NodeRecord, 'keyHash' | 'hostKeys'> = { keyHash: undefined, hostKeys: [] };

/** Idempotent: goes on from wherever an earlier run was cut off. */
export async function raiseNode(deps: RaiseDeps, op: RaiseContext, request: RaiseRequest): Promise<NodeRecord> {
  const planned = request.record ?? (await journal(deps, request));
  const found = await request.inTurn(() => running(op, request, planned));
  const { uuid } = planned;
  const isAnother = request.found === undefined || movedTo(request.record, found) !== undefined;
  const created: NodeRecord = {
    ...planned,
    ...(isAnother ? NEVER_SET_UP : {}),
    roles: request.wanted.roles,
    providerId: found.id,
    address: found.address,
    state: isAnother || planned.state === 'planned' ? 'created' : planned.state,
  };
  // A write waits for the disk; of a thousand nodes most are as they were.
  if (!isDeepStrictEqual(created, planned)) await deps.store.putNode(created);
  // What was this node before may still run somewhere.
  if (isAnother) deps.fleet.disconnect(uuid, 'another machine is this node now');
  if (await isConnected(deps, op, request, created)) return created;
  await request.inTurn(() => bootstrap(deps, op, request, { node: created, found }));
  return (await deps.store.node(uuid)) ?? created;
}

/** The UUID is durable before the provider is asked, so that a lost answer leads to adoption and not to a second node. */
async function journal(deps: RaiseDeps, { set, wanted }: RaiseRequest): Promise<NodeRecord> {
  const node: NodeRecord = {
    ...{ uuid: deps.ids.uuid(), set: set.name, name: wanted.name, roles: wanted.roles, state: 'planned' },
    ...{ ...NEVER_SET_UP, providerId: undefined, address: undefined, told: undefined, certGeneration: 0 },
    ...{ lastSeen: undefined, facts: undefined },
  };
  await deps.store.putNode(node);
  return node;
}

async function running(
  op: RaiseContext,
  { set, provider, wanted, size, found }: RaiseRequest,
  { uuid }: NodeRecord,
): Promise<ProviderNode> {
  const { name } = wanted;
  const say = (status: 'started' | 'running' | 'changed', action: string, text: string) =>
    op.emit({ status, action, node: name, text });
  if (found?.state === 'running') return found;
  if (found !== undefined) {
    say('started', 'start-node', 'starting');
    const started = await provider.start(found.id, op.signal);
    say('changed', 'start-node', 'started');
    return started;
  }
  say('started', 'create-node', 'creating');
  const { image } = set.config.provider.options;
  const request = { uuid, name, set: set.name, size, image };
  const created = await provider.create(request, (text) => say('running', 'create-node', text), op.signal);
  say('changed', 'create-node', `created at ${created.address}`);
  return created;
}

/**
 * An agent that was enrolled earlier gets time to reconnect. When it does not, takes no orders, or was told another address of the
 * controller than the file has now, the bootstrap mends it.
 */
async function isConnected(
  deps: RaiseDeps,
  op: RaiseContext,
  { set, found }: RaiseRequest,
  node: NodeRecord,
): Promise<boolean> {
  if (!isTold(node, set.config.controller)) return false;
  const session = deps.fleet.session(node.uuid);
  if (session !== undefined) return takesOrders(deps, session);
  if (node.state !== 'enrolled') return false;
  if (found?.state === 'running' && node.lastSeen === undefined) return false;
  // Neither of two that claim to be it is let in, however long they are waited for.
  if (deps.fleet.isHeld(node)) return false;
  op.emit({ status: 'running', action: 'bootstrap', node: node.name, text: 'waiting for its agent to connect' });
  try {
    return takesOrders(deps, await deps.fleet.waitFor(node.uuid, { signal: op.signal, deadline: RECONNECT }));
  } catch (error) {
    if (error instanceof SlError && error.code === 'E_DEADLINE') return false;
    throw error;
  }
}

/** Of a machine that something else made, the user's known hosts say whom to believe, also after it was set up anew. */
export function pinnedKeys({ hostKeys }: NodeRecord, { uuid }: ProviderNode): string[] {
  return uuid === undefined ? [] : hostKeys;
}

async function bootstrap(
  deps: RaiseDeps,
  op: RaiseContext,
  { set }: RaiseRequest,
  { node, found }: { node: NodeRecord; found: ProviderNode },
): Promise<void> {
  const { name, uuid } = node;
  const say = (status: 'started' | 'running' | 'changed' | 'warning', text: string) =>
    op.emit({ status, action: 'bootstrap', node: name, text });
  say('started', 'setting up the agent over SSH');
  const since = deps.clock.monotonic();
  const tell = advertised(set.config.controller);
  const request = {
    ...{ uuid, name, set: set.name, certGeneration: node.certGeneration + 1, ssh: found.ssh },
    pinnedHostKeys: pinnedKeys(node, found),
    // A node that was just created has a key that nobody can know yet; for any other one it has to be known.
    learnHostKey: node.hostKeys.length === 0 && found.uuid !== undefined,
    controllerUrl: tell.url,
    controllerPort: tell.port,
  };
  const result = await deps.bootstrapper.bootstrap(request, (text) => say('running', text), op.signal);
  // Of one that this controller has, `refuseTaken` knows. Of another controller's nobody else would say a word.
  if (result.formerSet !== undefined && result.formerSet !== set.name)
    say('warning', `it was a node of the set ${result.formerSet}, which has lost it; sl up of that set takes it back`);
  const enrolled = await deps.store.node(uuid);
  const told = toldOf(set.config.controller);
  if (enrolled !== undefined) await deps.store.putNode({ ...enrolled, hostKeys: result.hostKeys, told });
  await deps.fleet.waitFor(uuid, { signal: op.signal, deadline: FIRST_HELLO, after: since });
  say('changed', 'its agent is connected');
}
