/** What ends the servers of roles that a node had: the file takes a role from it, and it stays in the set. */
import type { ResourceInput, Role } from '@silverlining/protocol';
import { serviceTraces } from '../services/index.ts';
import { APPSERVER_TRACE } from './appserver.ts';
import { BALANCER_TRACE } from './balancer.ts';
import type { RoleTrace } from './context.ts';

const TRACES: ReadonlyMap<Role, RoleTrace> = new Map([
  ['appserver', APPSERVER_TRACE],
  ['balancer', BALANCER_TRACE],
  ...serviceTraces(),
]);

/** For all other roles, whether the node had them or not: what a node was is known best by itself. Data stays. */
export function formerUnits(roles: readonly Role[]): ResourceInput[] {
  const others = [...TRACES].filter(([role]) => !roles.includes(role));
  return others.map(([, { unit, mark }]) => ({ type: 'former-unit', name: unit, mark }));
}
