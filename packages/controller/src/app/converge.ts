/** Has nodes brought to what their roles say, or asks what differs. */
import {
  type NoticeBody,
  type ReplyBody,
  type ResourceInput,
  type ResourceReport,
  type ServerSet,
  SlError,
  type Topology,
  type TopologyNode,
} from '@silverlining/protocol';
import { agentPorts } from '../core/controller-address.ts';
import { SET_SECRET } from '../core/roles/app-secret.ts';
import { type NodeResources, type RoleContext, resourcesFor, supportedOs } from '../core/roles/index.ts';
import { secretsNeeded } from '../core/services/index.ts';
import type { AgentSession, NodeRecord, ThisMachine } from '../ports.ts';
import { type ControllerDeps, onEach } from './deps.ts';

/** Packages may have to be downloaded; the agent reports progress meanwhile. */
const APPLY_DEADLINE = 30 * 60_000;
const CHECK_DEADLINE = 60_000;
/** Bytes of entropy of a generated password. */
const SECRET_BYTES = 24;

export interface ConvergeRequest {
  set: ServerSet;
  topology: Topology;
  nodes: readonly NodeRecord[];
  mode: 'apply' | 'check';
  signal: AbortSignal;
  onProgress?: (node: NodeRecord, progress: NoticeBody<'progress'>) => void;
}

/** The resources that changed (or would), by node UUID. Throws E_RESOURCE naming every resource that failed. */
export async function convergeNodes(
  deps: ControllerDeps,
  request: ConvergeRequest,
): Promise<Map<string, ResourceReport[]>> {
  const known: Known = {
    secrets: await readSecrets(deps, request.set),
    agentPorts: await portsHere(deps, request.set),
    machine: deps.thisMachine(),
  };
  const results = await onEach(request.nodes, async (node) => {
    await deps.fleet.turn();
    return [node.uuid, changesOf(node, await askOne(deps, request, node, known))] as const;
  });
  return new Map(results);
}

/** What is the same for all nodes. */
type Known = Pick<RoleContext, 'secrets' | 'agentPorts'> & { machine: ThisMachine };

async function portsHere({ store, url }: ControllerDeps, set: ServerSet): Promise<number[]> {
  return agentPorts(url(), [set, ...(await store.sets()).map((it) => it.config)]);
}

/** Generated once for the set and kept: the set's own secret, and the values that services share with apps. */
export async function readSecrets(deps: ControllerDeps, set: ServerSet): Promise<ReadonlyMap<string, string>> {
  const names = [SET_SECRET, ...secretsNeeded(set)];
  const make = () => deps.ids.token(SECRET_BYTES);
  const values = await Promise.all(names.map((name) => deps.store.secret(set.name, name, make)));
  return new Map(names.map((name, i) => [name, values[i] ?? '']));
}

const indexed = new WeakMap<Topology, ReadonlyMap<string, TopologyNode>>();

/** The nodes of a topology by UUID. */
export function nodesOf(topology: Topology): ReadonlyMap<string, TopologyNode> {
  const nodes = indexed.get(topology) ?? new Map(topology.nodes.map((it) => [it.uuid, it]));
  indexed.set(topology, nodes);
  return nodes;
}

function wantedResources(
  deps: ControllerDeps,
  { set, topology }: ConvergeRequest,
  record: NodeRecord,
  { secrets, agentPorts: ports, machine }: Known,
): NodeResources {
  const node = nodesOf(topology).get(record.uuid);
  const hello = deps.fleet.session(record.uuid)?.hello;
  const facts = hello?.facts ?? record.facts;
  if (node === undefined) throw new SlError('E_INTERNAL', `${record.name} is not in the topology`);
  if (facts === undefined) {
    throw new SlError('E_NODE_DISCONNECTED', `${record.name} has never connected`, { details: { node: record.name } });
  }
  const isHere = machine.addresses.has(node.address) || machine.bootId === facts.bootId;
  const own = {
    ...{ agentPorts: isHere ? ports : [], os: supportedOs(facts.os, record.name) },
    ipv6: facts.ipv6 === true,
  };
  const wanted = resourcesFor(node, { set, topology, secrets, ...own });
  return { ...wanted, resources: wanted.resources.filter((it) => isKnown(it, hello)) };
}

/** To an agent of an earlier version, which would refuse all that comes with it. */
function isKnown(it: ResourceInput, hello: AgentSession['hello'] | undefined): boolean {
  if (it.type === 'former-unit') return hello?.formerUnits === true;
  return it.type !== 'command' || it.unlessInstalled === undefined || hello?.packageGuards === true;
}

/** Not `async`: the resources, up to hundreds of KB, are gone once they are sent. */
function askOne(
  deps: ControllerDeps,
  request: ConvergeRequest,
  node: NodeRecord,
  known: Known,
): Promise<ReplyBody<'converge'>> {
  const { mode, signal, onProgress } = request;
  const { resources, watch } = wantedResources(deps, request, node, known);
  const options = {
    ...{ signal, deadline: mode === 'apply' ? APPLY_DEADLINE : CHECK_DEADLINE },
    onProgress: (progress: NoticeBody<'progress'>) => onProgress?.(node, progress),
  };
  return deps.fleet.request(node.uuid, 'converge', { mode, resources, watch }, options);
}

function changesOf(node: NodeRecord, { reports }: ReplyBody<'converge'>): ResourceReport[] {
  const failed = reports.filter((it) => it.status === 'failed');
  if (failed.length > 0) throw failure(node.name, failed);
  return reports.filter((it) => it.status === 'changed');
}

function failure(node: string, failed: readonly ResourceReport[]): SlError {
  const what = failed.map((it) => `${it.id}: ${it.detail ?? 'failed'}`).join('; ');
  const log = failed.flatMap((it) => it.log ?? []);
  return new SlError('E_RESOURCE', `${node}: ${what}`, { details: { node, ...(log.length === 0 ? {} : { log }) } });
}
