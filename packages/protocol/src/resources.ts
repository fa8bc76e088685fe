/**
 * Resources: how pieces of a node should be. Roles and services are pure functions that return lists of these;
 * the agent's engine checks each in order, changes what differs and reports. Adding a kind: a schema here, a line in
 * `resource`, and an executor in the agent (the compiler asks for it). Strict: what an agent does not understand of a
 * resource it must not bring about by half.
 */
import * as z from 'zod/mini';
import { absolutePath, packageName } from './names.ts';

/** Permission bits as in `0o644`; setuid, setgid and sticky bits are never ours to set. */
const mode = z.int().check(z.minimum(0), z.maximum(0o777));
const userName = z.string().check(z.regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'invalid user name'));
export const unitName = z
  .string()
  .check(z.regex(/^[A-Za-z0-9:_.@\\-]+\.(?:service|socket|timer|mount|target|path)$/, 'invalid unit name'));
const argv = z.array(z.string()).check(z.minLength(1));

/** What a changed resource asks for once all resources of the run are in place; equal ones run once. */
export const notification = z.strictObject({
  unit: unitName,
  action: z.enum(['reload', 'restart']),
  /** Must exit 0 before the action; when it does not, files changed in this run that ask for it are put back. */
  check: z.optional(argv),
});
export type Notification = z.infer<typeof notification>;

const ownership = { owner: z._default(userName, 'root'), group: z._default(userName, 'root') };
const notifying = { notify: z.optional(z.array(notification)) };

export const packagesResource = z.strictObject({
  type: z.literal('packages'),
  names: z.array(packageName).check(z.minLength(1)),
  ...notifying,
});
export const userResource = z.strictObject({
  type: z.literal('user'),
  name: userName,
  home: z._default(absolutePath, '/nonexistent'),
  shell: z._default(absolutePath, '/usr/sbin/nologin'),
  groups: z._default(z.array(userName), []),
});
export const directoryResource = z.strictObject({
  type: z.literal('directory'),
  path: absolutePath,
  mode: z._default(mode, 0o755),
  ...ownership,
});
export const fileResource = z.strictObject({
  type: z.literal('file'),
  path: absolutePath,
  content: z.string(),
  mode: z._default(mode, 0o644),
  ...ownership,
  /** Its content is never shown in reports, diffs or logs. */
  sensitive: z._default(z.boolean(), false),
  /** Made once and then left to whoever owns it: present is enough, whatever it holds. */
  once: z._default(z.boolean(), false),
  ...notifying,
});
export const linkResource = z.strictObject({
  type: z.literal('link'),
  path: absolutePath,
  /** As stored in the link: absolute or relative. */
  target: z.string().check(z.minLength(1)),
  ...notifying,
});
export const absentResource = z.strictObject({ type: z.literal('absent'), path: absolutePath, ...notifying });
/** Marked lines inside a file that belongs to somebody else. */
export const blockResource = z.strictObject({
  type: z.literal('block'),
  path: absolutePath,
  /** Stands in the markers `# BEGIN silverlining NAME` and `# END silverlining NAME`. */
  name: z.string().check(z.regex(/^[a-z0-9:._-]+$/)),
  /** Without the markers; empty removes the block. */
  content: z.string(),
  ...notifying,
});
export const unitResource = z.strictObject({
  type: z.literal('unit'),
  name: unitName,
  enabled: z.boolean(),
  running: z.boolean(),
});
/**
 * The unit of a role that the node does not have (any more). It is stopped and disabled where the role was here, which `mark` says:
 * a file that the role alone writes. With that file gone, the unit is none of ours.
 */
export const formerUnitResource = z.strictObject({
  type: z.literal('former-unit'),
  name: unitName,
  mark: absolutePath,
});
export const hostnameResource = z.strictObject({ type: z.literal('hostname'), name: z.string() });
/** A database and the user that owns it, who may come from `hosts`, and from no other address. */
export const mysqlDatabaseResource = z.strictObject({
  type: z.literal('mysql-database'),
  database: z.string().check(z.regex(/^[A-Za-z0-9_]{1,64}$/)),
  user: z.string().check(z.regex(/^[A-Za-z0-9_]{1,80}$/)),
  password: z.string().check(z.regex(/^[A-Za-z0-9_-]{16,128}$/)),
  hosts: z.array(z.string().check(z.regex(/^[0-9a-fA-F.:]+$|^localhost$/))),
});
/** For what no other kind says. Guarded: runs only while what one of its guards asks for is not there. */
export const commandResource = z.strictObject({
  type: z.literal('command'),
  argv,
  /** A command that exits 0. */
  unless: z.optional(argv),
  creates: z.optional(absolutePath),
  /** A package, or what one provides. */
  unlessInstalled: z.optional(packageName),
  ...notifying,
});

export const resource = z.discriminatedUnion('type', [
  packagesResource,
  userResource,
  directoryResource,
  fileResource,
  linkResource,
  absentResource,
  blockResource,
  unitResource,
  formerUnitResource,
  hostnameResource,
  mysqlDatabaseResource,
  commandResource,
]);
/** A resource after parsing, with its defaults. */
export type Resource = z.infer<typeof resource>;
/** A resource as roles write it, defaults left out. */
export type ResourceInput = z.input<typeof resource>;
export type ResourceType = Resource['type'];
export type ResourceOf<T extends ResourceType> = Extract<Resource, { type: T }>;

export const resourceReport = z.object({
  /** `type:key`, unique in a list. */
  id: z.string(),
  status: z.enum(['ok', 'changed', 'failed', 'skipped']),
  /** What differed or went wrong, for people; never secret content. */
  detail: z.optional(z.string()),
  log: z.optional(z.array(z.string())),
});
export type ResourceReport = z.infer<typeof resourceReport>;

const KEY: { [T in ResourceType]: (resource: ResourceOf<T>) => string } = {
  packages: (it) => it.names.join(','),
  user: (it) => it.name,
  directory: (it) => it.path,
  file: (it) => it.path,
  link: (it) => it.path,
  absent: (it) => it.path,
  block: (it) => `${it.path}#${it.name}`,
  unit: (it) => it.name,
  'former-unit': (it) => it.name,
  hostname: () => 'hostname',
  'mysql-database': (it) => it.database,
  command: (it) => it.argv.join(' '),
};

/** The identity of a resource in reports: `type:key`. */
export function resourceId<T extends ResourceType>(it: ResourceOf<T>): string {
  const key: (resource: ResourceOf<T>) => string = KEY[it.type as T];
  return `${it.type}:${key(it)}`;
}
