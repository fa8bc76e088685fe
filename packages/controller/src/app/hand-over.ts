/** Roles that move between nodes that stay: who had one goes on serving in it until others have taken over. */
import { isService, type Role } from '@silverlining/protocol';
import type { NodeRecord, SetRecord } from '../ports.ts';
import { nodesOf } from './converge.ts';

/**
 * The roles in which visitors or balancers reach the node by the topology that is in force, and that the file takes from it. That
 * topology outlives a run that is cut off. Services are none: apps are told of one node, and their data does not move with them.
 */
export function partingRoles(record: SetRecord | undefined, node: NodeRecord): Role[] {
  if (record?.topology === undefined || Object.keys(record.active).length === 0) return [];
  const before = nodesOf(record.topology).get(node.uuid)?.roles ?? [];
  return before.filter((role) => !node.roles.includes(role) && !isService(role));
}

/** The node with the roles that it has and those that it is about to lose. */
export function withPartingRoles(record: SetRecord | undefined, node: NodeRecord): NodeRecord {
  return { ...node, roles: [...node.roles, ...partingRoles(record, node)] };
}
