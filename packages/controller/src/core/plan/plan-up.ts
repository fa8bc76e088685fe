/** What `sl up` will do, from what is wanted and what exists. Pure: the same input gives the same steps in the same order. */
import type { Plan, PlanStep, Role, ServerSet, WantedNode } from '@silverlining/protocol';
import { isTold } from '../controller-address.ts';
import { movedTo } from '../machine-change.ts';

/** What the store knows of a node (records.ts: `NodeRecord`). */
export interface RecordedNode {
  uuid: string;
  name: string;
  roles: readonly Role[];
  state: 'planned' | 'created' | 'enrolled';
  address: string | undefined;
  told: string | undefined;
}

/** What the provider knows of one (records.ts: `ProviderNode`). */
export interface ExistingMachine {
  uuid: string | undefined;
  name: string;
  address: string;
  state: 'running' | 'stopped';
}

export interface PlanInput {
  set: ServerSet;
  records: readonly RecordedNode[];
  providerNodes: readonly ExistingMachine[];
  /** Agents that are connected, by the UUID of their node. */
  connected: ReadonlyMap<string, ConnectedAgent>;
  topology: { current: number | undefined; changes: boolean };
  apps: readonly PlannedApp[];
  /** Apps that are live and that the file no longer has. */
  goneApps: readonly string[];
  /** Resources that differ on a node, by UUID, where the nodes were asked. */
  drift: ReadonlyMap<string, number>;
  /** Nodes that leave are machines of the user's own, and stay. */
  keepsMachines?: boolean;
  /** Whether the workstation's /etc/hosts has to change. */
  hosts: boolean;
}

export interface ConnectedAgent {
  /** False where the node was given another signing key, or none. */
  takesOrders: boolean;
  /** `0.1.0 -> 0.2.0`, where the controller has another bundle for it. */
  update: string | undefined;
}

export interface PlannedApp {
  name: string;
  /** The instance that serves now. */
  active: string | undefined;
  changed: boolean;
  files: number;
}

export function planUp(input: PlanInput): Plan {
  const steps = [
    ...input.set.nodes.flatMap((node) => nodeSteps(input, node)),
    ...topologySteps(input),
    ...driftSteps(input),
    ...leavingSteps(input),
    ...input.goneApps.map((app): PlanStep => ({ action: 'remove-app', app, summary: `${app} is no longer served` })),
    ...input.apps.filter((it) => it.changed).map(deployStep),
    ...(input.hosts ? [HOSTS_STEP] : []),
  ];
  const nodes = input.set.nodes.map(({ name, roles, size }) => {
    const exists = findNode(input, name).found !== undefined;
    return { name, roles, ...(size === undefined ? {} : { size }), exists };
  });
  return { set: input.set.name, nodes, steps, changes: steps.length };
}

const TOLD_OTHERWISE = 'it was told another url or listen than those of [controller]';
const HOSTS_STEP: PlanStep = { action: 'workstation-hosts', summary: 'update the block in /etc/hosts of this machine' };

function findNode({ records, providerNodes }: PlanInput, name: string) {
  const record = records.find((it) => it.name === name);
  const found = providerNodes.find((it) => (record !== undefined && it.uuid === record.uuid) || it.name === name);
  return { record, found };
}

/** One step a node at most before its roles: what has to happen first implies the rest. */
function nodeSteps(input: PlanInput, { name, roles, size }: WantedNode): PlanStep[] {
  const { record, found } = findNode(input, name);
  const what = `${roles.join(', ')}${size === undefined ? '' : `, size ${size}`}`;
  if (found === undefined) return [{ action: 'create-node', node: name, summary: `create ${name} (${what})` }];
  if (found.state === 'stopped') return [{ action: 'start-node', node: name, summary: `start ${name}` }];
  const bootstrap = (why: string): PlanStep[] => [
    { action: 'bootstrap', node: name, summary: `set up the agent on ${name} (${why})` },
  ];
  const moved = movedTo(record, found);
  if (moved !== undefined) return bootstrap(`its address is ${moved} now, not ${record?.address}`);
  const agent = record?.state === 'enrolled' ? input.connected.get(record.uuid) : undefined;
  if (agent === undefined) return bootstrap(record?.state === 'enrolled' ? 'its agent is not connected' : what);
  if (!agent.takesOrders) return bootstrap("it does not have this controller's signing key");
  if (record !== undefined && !isTold(record, input.set.controller)) return bootstrap(TOLD_OTHERWISE);
  return updateSteps(name, agent);
}

function updateSteps(node: string, { update }: ConnectedAgent): PlanStep[] {
  return update === undefined
    ? []
    : [{ action: 'update-agent', node, summary: `update the agent on ${node} (${update})` }];
}

function topologySteps({ topology }: PlanInput): PlanStep[] {
  if (!topology.changes) return [];
  const next = (topology.current ?? 0) + 1;
  return [{ action: 'topology', summary: `push topology generation ${next} to all nodes` }];
}

function driftSteps({ set, records, drift }: PlanInput): PlanStep[] {
  return set.nodes.flatMap(({ name }): PlanStep[] => {
    const count = drift.get(records.find((it) => it.name === name)?.uuid ?? '') ?? 0;
    return count === 0
      ? []
      : [
          {
            action: 'converge',
            node: name,
            summary: `${plural(count, 'resource')} of ${name} ${count === 1 ? 'differs' : 'differ'}`,
          },
        ];
  });
}

/** Nodes that there are and that the file does not have, in their order. */
export function leavingNodes<N extends { name: string }>(
  { nodes }: Pick<ServerSet, 'nodes'>,
  existing: readonly N[],
): N[] {
  return existing.filter((it) => !nodes.some((wanted) => wanted.name === it.name));
}

/** Highest numbers first, as they go. */
function leavingSteps({ set, records, keepsMachines }: PlanInput): PlanStep[] {
  const leaving = leavingNodes(set, records).sort((a, b) => b.name.localeCompare(a.name, 'en', { numeric: true }));
  return leaving.flatMap(({ name, roles }): PlanStep[] => {
    const summary = keepsMachines
      ? `hand ${name} back as it was, packages and databases aside`
      : `destroy ${name} and all it holds`;
    const destroy: PlanStep = { action: 'destroy-node', node: name, summary };
    if (!roles.includes('appserver')) return [destroy];
    return [{ action: 'drain-node', node: name, summary: `take ${name} from the balancers and drain it` }, destroy];
  });
}

function deployStep({ name, active, files }: PlannedApp): PlanStep {
  const what = active === undefined ? `deploy ${name} for the first time` : `deploy ${name} (${active} is live)`;
  return { action: 'deploy', app: name, summary: `${what}, ${plural(files, 'file')}` };
}

function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
