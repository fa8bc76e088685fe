/** Roles that move between nodes that stay: who had one goes on serving in it until others have taken over. */
import { isService, type Role } from '@silverlining/protocol';
import type { NodeRecord, SetRecord } from '../ports.ts';
import { nodesOf } from './converge.ts';

/**
 * The roles that the node has by the topology that is in force, and that the file takes from it. That topology outlives a run that is
 * cut off.
 */
function partingRoles(record: SetRecord | undefined, node: NodeRecord): Role[] {
  if (record?.topology === undefined || Object.keys(record.active).length === 0) return [];
  const before = nodesOf(record.topology).get(node.uuid)?.roles ?? [];
  return before.filter((role) => !node.roles.includes(role));
}

/** Those in which visitors or balancers reach the node: they end as soon as all balancers know. */
export function partingWebRoles(record: SetRecord | undefined, node: NodeRecord): Role[] {
  return partingRoles(record, node).filter((role) => !isService(role));
}

/** Those that what is live may use until something else is: its environment names this node. */
export function partingServices(record: SetRecord | undefined, node: NodeRecord): Role[] {
  return partingRoles(record, node).filter(isService);
}

/** The node with the roles that it has and those that it is about to lose. */
export function withPartingRoles(record: SetRecord | undefined, node: NodeRecord): NodeRecord {
  return { ...node, roles: [...node.roles, ...partingRoles(record, node)] };
}

export function withPartingServices(record: SetRecord | undefined, node: NodeRecord): NodeRecord {
  return { ...node, roles: [...node.roles, ...partingServices(record, node)] };
}
