/** All nodes of a set, from its sections; a node that two sections name has both roles. */
import type { WantedNode } from '@silverlining/protocol';
import { type GroupRequest, type NodeGroup, readGroup } from './node-group.ts';
import { lineAt, type Problems, quote } from './problem.ts';
import type { ServiceSpec } from './schema.ts';
import { FLAGS, type SectionValues } from './values.ts';

export interface NodesInput {
  appserver: SectionValues | undefined;
  /** Service name to its section, in file order. */
  services: ReadonlyMap<string, SectionValues>;
  balancer: SectionValues | undefined;
  knownServices: Readonly<Record<string, ServiceSpec>>;
  baseDomain: string;
  problems: Problems;
}

type LoadBalancer = 'automatic' | boolean;

const LOAD_BALANCER = new Map<string, LoadBalancer>([['automatic', 'automatic'], ['auto', 'automatic'], ...FLAGS]);

/** Nodes in the order app servers, services, balancers; each name once. */
export function resolveNodes(input: NodesInput): WantedNode[] {
  const groups: NodeGroup[] = [];
  const read = (values: SectionValues, request: Pick<GroupRequest, 'role' | 'defaultName' | 'numbered'>) => {
    const group = readGroup(values, { ...request, baseDomain: input.baseDomain, problems: input.problems });
    groups.push(group);
    return group;
  };
  if (input.appserver !== undefined) read(input.appserver, { role: 'appserver', defaultName: 'app', numbered: true });
  for (const [name, values] of input.services)
    checkServiceNodes(name, read(values, { role: `service:${name}`, defaultName: name, numbered: false }), input);
  const wish = loadBalancer(input);
  if (input.balancer !== undefined && wish !== false)
    read(input.balancer, { role: 'balancer', defaultName: 'balancer', numbered: false });
  const appservers = groups.find((it) => it.role === 'appserver')?.nodes ?? [];
  if (input.balancer === undefined && (wish === true || (wish === 'automatic' && appservers.length > 1)))
    groups.push(automaticBalancer(input));
  return mergeGroups(groups, input.problems);
}

function loadBalancer({ appserver, balancer, problems }: NodesInput): LoadBalancer {
  const text = appserver?.line('load_balancer') ?? 'automatic';
  const wish = LOAD_BALANCER.get(text.toLowerCase());
  const place = appserver?.place('load_balancer');
  if (wish === undefined && place !== undefined)
    problems.error(place, `load_balancer must be automatic, true or false, not ${quote(text)}`);
  if (wish === false && balancer !== undefined && place !== undefined)
    problems.warning(
      place,
      `load_balancer = false (line ${place.line}) switches [balancer] (${lineAt(balancer.section, place)}) off`,
    );
  return wish ?? 'automatic';
}

function automaticBalancer({ appserver, baseDomain }: NodesInput): NodeGroup {
  const place = appserver?.place('nodes') ?? { file: '', line: 0 };
  return { role: 'balancer', nodes: [{ name: `balancer.${baseDomain}`, ...place }] };
}

function checkServiceNodes(name: string, { nodes }: NodeGroup, { knownServices, problems }: NodesInput): void {
  const max = knownServices[name]?.maxNodes ?? 1;
  const excess = nodes[max];
  if (excess !== undefined)
    problems.error(excess, `service ${name} runs on ${max === 1 ? 'one node' : `${max} nodes`} at most`);
}

function mergeGroups(groups: NodeGroup[], problems: Problems): WantedNode[] {
  const nodes = new Map<string, WantedNode>();
  const sizes = new Map<string, NonNullable<NodeGroup['size']>>();
  for (const group of groups) {
    for (const { name } of group.nodes) {
      const node = nodes.get(name) ?? { name, roles: [] };
      const before = sizes.get(name);
      if (group.size !== undefined && before === undefined) sizes.set(name, group.size);
      if (group.size !== undefined && before !== undefined && before.text !== group.size.text)
        problems.error(
          group.size,
          `${name} is given two sizes, on ${lineAt(before, group.size)} and line ${group.size.line}`,
        );
      const roles = node.roles.includes(group.role) ? node.roles : [...node.roles, group.role];
      nodes.set(name, { name, roles });
    }
  }
  return [...nodes.values()].map((node) => {
    const size = sizes.get(node.name);
    return size === undefined ? node : { ...node, size: size.text, sizeWish: size.wish };
  });
}
