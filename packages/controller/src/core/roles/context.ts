/** What roles read, and what they give. */
import {
  nodesWithRole,
  type ResourceInput,
  type Role,
  type ServerSet,
  SlError,
  type Topology,
  type TopologyNode,
} from '@silverlining/protocol';

/** The distributions that roles know the packages of. */
export interface OsFacts {
  id: 'debian' | 'ubuntu';
  /** As in VERSION_ID: `12`, `24.04`. */
  version: string;
}

export interface RoleContext {
  set: ServerSet;
  topology: Topology;
  /** The node that is being described. */
  node: TopologyNode;
  os: OsFacts;
  /** Whether the node's kernel has IPv6: without, a server that is to listen on it does not start. */
  ipv6: boolean;
  /** Ports of the controller, where it runs on this node. */
  agentPorts: readonly number[];
  /** Values of the secrets that `secretsNeeded` names for the set. */
  secrets: ReadonlyMap<string, string>;
}

/** A port that a role needs open. Without one, new connections from outside are dropped. */
export interface Opening {
  port: number;
  /** Addresses of those who may connect; `anywhere` for all. */
  from: 'anywhere' | readonly string[];
}

/** A role's share of a node; `resourcesFor` merges those of all its roles. */
export interface RoleParts {
  packages: string[];
  /** In the order in which they are to be brought about, after the packages. */
  resources: ResourceInput[];
  openings: Opening[];
  /** Units whose state belongs to the node's health. */
  watch: string[];
}

/** The server of a role, and how a node knows that it had the role: by a file that is written for nothing else, and that goes with the role. */
export interface RoleTrace {
  unit: string;
  mark: string;
}

export type RoleFunction = (context: RoleContext) => RoleParts;

/** Facts that an agent sent, as roles need them. E_CONFLICT when the node runs something else. */
export function supportedOs(os: { id: string; version: string; name: string }, node: string): OsFacts {
  if (os.id === 'debian' || os.id === 'ubuntu') return { id: os.id, version: os.version };
  throw new SlError('E_CONFLICT', `${node} runs ${os.name}; nodes must run Debian or Ubuntu`, { details: { node } });
}

/** Addresses of the nodes that have a role, in the set's order. */
export function addressesOf(topology: Topology, role: Role): string[] {
  return nodesWithRole(topology.nodes, role).map((it) => it.address);
}

/** Where Apache listens on an app server: a balancer on the same node takes port 80. */
export function apachePort(node: Pick<TopologyNode, 'roles'>): number {
  return node.roles.includes('balancer') ? 8080 : 80;
}
