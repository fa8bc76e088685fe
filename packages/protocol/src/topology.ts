/** `/etc/silverlining/topology.json`: the same on every node of a set, without secrets. */
import * as z from 'zod/mini';
import { nodeName, setName } from './names.ts';
import { location, role } from './server-set.ts';

export const topologyNode = z.object({
  name: nodeName,
  uuid: z.string(),
  /** Address at which the other nodes reach it. */
  address: z.string(),
  roles: z.array(role),
});
export type TopologyNode = z.infer<typeof topologyNode>;

export const topology = z.object({
  version: z.literal(1),
  set: setName,
  /** Grows by one with every change of anything else in here. */
  generation: z.int().check(z.minimum(0)),
  baseDomain: nodeName,
  setEtcHosts: z.boolean(),
  nodes: z.array(topologyNode),
  services: z.array(z.object({ name: z.string(), nodes: z.array(nodeName) })),
  apps: z.array(z.string()),
  locations: z.array(z.object(location.shape)),
  aliases: z.array(z.string()),
});
export type Topology = z.infer<typeof topology>;
