/**
 * A server set as the file describes it, with interpolation, defaults and names resolved: what the planner reads,
 * and what `sl` sends to the controller. `core/config` makes it; nothing after it looks at the file again.
 */
import * as z from 'zod/mini';
import { appName, locationHost, nodeName, packageName, setName } from './names.ts';

/** Which size of node is wanted; providers choose the first that fits. */
export const sizeWish = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('id'), id: z.string() }),
  /** RAM in MiB; the smallest size with at least this much. */
  z.strictObject({ by: z.literal('ram'), mib: z.int().check(z.positive()) }),
  z.strictObject({ by: z.literal('name'), glob: z.string() }),
  z.strictObject({ by: z.literal('first'), wishes: z.array(z.string()) }),
]);
export type SizeWish = z.infer<typeof sizeWish>;

/** `URL app`: where an app answers. */
export const location = z.strictObject({
  /** Lower case host, `.suffix` or `*`. */
  host: locationHost,
  /** Starts and ends with `/`. */
  path: z.string().check(z.regex(/^\/(?:[A-Za-z0-9._~!$&()*+,;=:@%-]+\/)*$/, 'invalid path')),
  app: appName,
});
export type Location = z.infer<typeof location>;

/** `appserver`, `balancer`, `controller` or `service:NAME`. */
export const role = z.string().check(z.regex(/^(?:appserver|balancer|service:[a-z][a-z0-9_-]*)$/, 'unknown role'));
export type Role = z.infer<typeof role>;

/** A node that should exist. */
const wantedNode = z.strictObject({
  name: nodeName,
  roles: z.array(role).check(z.minLength(1)),
  /** As written in the file, for people. */
  size: z.optional(z.string()),
  sizeWish: z.optional(sizeWish),
});
export type WantedNode = z.infer<typeof wantedNode>;

export const platform = z.enum(['node', 'python', 'asgi', 'php', 'command', 'static']);
export type Platform = z.infer<typeof platform>;

/** An `update_fetch` line. */
export const updateFetch = z.discriminatedUnion('kind', [
  /** A path on the app itself, asked for with GET. */
  z.strictObject({ kind: z.literal('path'), path: z.string().check(z.startsWith('/')) }),
  /** `script:command args`, run in the release. */
  z.strictObject({ kind: z.literal('script'), argv: z.array(z.string()).check(z.minLength(1)) }),
]);
export type UpdateFetch = z.infer<typeof updateFetch>;

/** An app: its `[app:NAME]` section and its app.ini, resolved. */
export const app = z.strictObject({
  name: appName,
  /** Absolute directory on the workstation. */
  dir: z.string(),
  /** Absolute directory of its configuration, deployed with each release. */
  config: z.optional(z.string()),
  /** Releases kept on the nodes, the active one included. */
  keep: z.int().check(z.minimum(1), z.maximum(100)),
  /** Path asked for to see whether an instance is healthy. */
  health: z.string().check(z.startsWith('/')),
  /** Seconds that an instance may take until it is healthy. */
  healthTimeout: z.number().check(z.positive()),
  /** Worker processes of an instance; 0 lets the platform decide. */
  processes: z.int().check(z.minimum(0), z.maximum(64)),
  /** `env.*` of the section. */
  env: z.record(z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/)), z.string()),
  platform,
  /** `main.py`, `main.py#object`, `server.js`, relative to `dir`; undefined for `command` and `static`. */
  runner: z.optional(z.string()),
  /** argv of a `command` app; `$PORT` stands for the port to listen on. */
  command: z.optional(z.array(z.string())),
  /** argv that checks the configuration directory before anything is uploaded (`config.checker`). */
  configChecker: z.optional(z.array(z.string()).check(z.minLength(1))),
  /** Debian packages that the app needs on its nodes. */
  packages: z.array(packageName),
  packageInstallScript: z.optional(z.string()),
  afterInstallScript: z.optional(z.string()),
  updateFetch: z.array(updateFetch),
  /** Service name to the value given for it in app.ini (may be empty). */
  services: z.record(z.string(), z.string()),
});
export type App = z.infer<typeof app>;

/** A `[service:NAME]` section. */
export const service = z.strictObject({
  name: z.string(),
  /** The service's own keys. */
  options: z.record(z.string(), z.string()),
});
export type Service = z.infer<typeof service>;

/** Resolved `[provider]`: the driver and its own keys, secrets read. */
const providerConfig = z.strictObject({
  driver: z.string(),
  options: z.record(z.string(), z.string()),
});
export type ProviderConfig = z.infer<typeof providerConfig>;

export const serverSet = z.strictObject({
  name: setName,
  /** Absolute path of the file it was read from. */
  file: z.string(),
  baseDomain: nodeName,
  setEtcHosts: z.boolean(),
  controller: z.strictObject({
    url: z.optional(z.string()),
    listen: z.optional(z.string()),
  }),
  provider: providerConfig,
  /** In file order: app servers, services, balancers; a node with two roles stands once. */
  nodes: z.array(wantedNode),
  locations: z.array(location),
  /** Host names that are aliases of the first location's host. */
  aliases: z.array(locationHost),
  apps: z.array(app),
  services: z.array(service),
});
export type ServerSet = z.infer<typeof serverSet>;

/** Whether the role is that of a server for a service, `service:NAME`. */
export function isService(role: Role): boolean {
  return role.startsWith('service:');
}

/** The nodes of a set that have a role. */
export function nodesWithRole<T extends { roles: readonly string[] }>(nodes: readonly T[], wanted: Role): T[] {
  return nodes.filter((node) => node.roles.includes(wanted));
}
