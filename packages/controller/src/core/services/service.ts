/** What a service module is. Adding a service: a file here that exports one, and a line in the table of index.ts. */
import {
  type App,
  nodesWithRole,
  type ResourceInput,
  type ServerSet,
  type Topology,
  type TopologyNode,
} from '@silverlining/protocol';
import type * as z from 'zod/mini';
import type { Opening, OsFacts, RoleTrace } from '../roles/context.ts';

/** What a service reads to describe itself, on its node or to apps. */
export interface ServiceContext {
  set: ServerSet;
  topology: Topology;
  /** Values of what `secretsNeeded` names. */
  secrets: ReadonlyMap<string, string>;
}

export interface ServiceModule {
  name: string;
  /** Keys of `[service:NAME]` beside those that all have; unknown ones are refused. */
  options: z.ZodMiniObject;
  /** On how many nodes one set can have it. */
  maxNodes: number;
  /** Packages of the node that the service is on. */
  serverPackages(os: OsFacts): string[];
  /** The node that the service is on, without what its apps need there. */
  serverResources(context: ServiceContext & { node: TopologyNode }): ResourceInput[];
  /** What one app needs on the service's node. */
  appResources(app: App, context: ServiceContext): ResourceInput[];
  openings(context: ServiceContext): Opening[];
  watch: string[];
  trace: RoleTrace;
  /** Packages of app servers. */
  clientPackages(os: OsFacts): string[];
  /** CONFIG_* of an app that uses the service. */
  env(app: App, context: ServiceContext): Record<string, string>;
  /** Of these, the one with the address of the service's node. */
  hostVariable: string;
  /** Those that have it in a URL. */
  urlVariables: readonly string[];
  /** Names of the secrets that exist once for each app and set. */
  secretsNeeded(app: App): string[];
}

/** The node on which apps find a service of one node; while it moves, two nodes run it. */
export function placeOf(name: string, topology: Topology): TopologyNode | undefined {
  const nodes = nodesWithRole(topology.nodes, `service:${name}`);
  const named = topology.services.find((it) => it.name === name)?.nodes ?? [];
  return nodes.find((it) => named.includes(it.name)) ?? nodes[0];
}
