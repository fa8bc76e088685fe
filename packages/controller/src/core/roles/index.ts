/** The table of roles, and what a node with several of them is. Adding a role: a file here and a line in `ROLES` and in former-units.ts. */
import { isService, type ResourceInput, type Role, SlError, type TopologyNode } from '@silverlining/protocol';
import { serviceRole } from '../services/index.ts';
import { appserver } from './appserver.ts';
import { balancer } from './balancer.ts';
import { base } from './base.ts';
import type { RoleContext, RoleFunction } from './context.ts';
import { firewallResources } from './firewall.ts';
import { formerUnits } from './former-units.ts';

export {
  type Opening,
  type OsFacts,
  type RoleContext,
  type RoleFunction,
  type RoleParts,
  type RoleTrace,
  supportedOs,
} from './context.ts';

export const ROLES: ReadonlyMap<string, RoleFunction> = new Map([
  ['appserver', appserver],
  ['balancer', balancer],
]);

/** App servers before balancers: on a node with both, Apache must have left port 80 before HAProxy takes it. */
const ORDER = ['appserver', 'service', 'balancer'];

export interface NodeResources {
  resources: ResourceInput[];
  /** Units whose state belongs to the node's health. */
  watch: string[];
}

/** How a node should be: all its roles merged, each package, file and firewall rule once. */
export function resourcesFor(node: TopologyNode, context: Omit<RoleContext, 'node'>): NodeResources {
  const own = { ...context, node };
  const roles = [...node.roles].sort((a, b) => rank(a) - rank(b));
  const parts = [base(own), ...roles.map((role) => roleFunction(role)(own))];
  const names = [...new Set(parts.flatMap((it) => it.packages))].sort();
  const [first, ...rest] = parts.map((it) => it.resources);
  const resources: ResourceInput[] = [
    { type: 'packages', names },
    ...(first ?? []),
    ...firewallResources(parts.flatMap((it) => it.openings)),
    // Before the roles that it has: they may need the ports.
    ...formerUnits(roles),
    ...rest.flat(),
  ];
  return { resources: unique(resources), watch: [...new Set(parts.flatMap((it) => it.watch))] };
}

function rank(role: Role): number {
  return ORDER.indexOf(role.split(':')[0] ?? role);
}

function roleFunction(role: Role): RoleFunction {
  if (isService(role)) return serviceRole(role.slice('service:'.length));
  const found = ROLES.get(role);
  if (found === undefined) throw new SlError('E_INTERNAL', `there is no role ${role}`);
  return found;
}

/** Two roles may ask for the same thing, never for the same thing in two ways. */
function unique(resources: readonly ResourceInput[]): ResourceInput[] {
  const seen = new Map<string, ResourceInput>();
  return resources.filter((it) => {
    const key = identity(it);
    const before = seen.get(key);
    if (before === undefined) seen.set(key, it);
    else if (JSON.stringify(before) !== JSON.stringify(it))
      throw new SlError('E_INTERNAL', `two roles of a node want ${key} in different ways`);
    return before === undefined;
  });
}

/** As protocol's resourceId, but by what is touched: a file, a link and an absence of one path are one thing. */
function identity(it: ResourceInput): string {
  if (it.type === 'block') return `${it.path}#${it.name}`;
  if ('path' in it) return it.path;
  if (it.type === 'mysql-database') return `${it.type}:${it.database}`;
  if (it.type === 'command') return `${it.type}:${it.argv.join(' ')}`;
  return 'name' in it ? `${it.type}:${it.name}` : it.type;
}
