/**
 * The controller's HTTP API, as `sl` uses it over a unix socket, and the JSON that `sl --json` prints.
 * Operations answer with NDJSON: progress events, then one `done` or `failed`.
 */
import * as z from 'zod/mini';
import { wireError } from './codec.ts';
import { serverSet } from './server-set.ts';

export const problem = z.strictObject({
  file: z.string(),
  line: z.int(),
  message: z.string(),
  severity: z.enum(['error', 'warning']),
});
export type Problem = z.infer<typeof problem>;

const planNode = z.object({
  name: z.string(),
  roles: z.array(z.string()),
  size: z.optional(z.string()),
  exists: z.boolean(),
});
/** One thing that `sl up` will do. */
const planStep = z.object({
  action: z.enum([
    'create-node',
    'start-node',
    'bootstrap',
    'update-agent',
    'converge',
    'topology',
    'deploy',
    'drain-node',
    'destroy-node',
    'workstation-hosts',
    'remove-app',
  ]),
  node: z.optional(z.string()),
  app: z.optional(z.string()),
  summary: z.string(),
});
export type PlanStep = z.infer<typeof planStep>;
export const plan = z.object({
  set: z.string(),
  nodes: z.array(planNode),
  steps: z.array(planStep),
  changes: z.int(),
  /** The file that the set was last brought up from, where that is another one. */
  formerFile: z.optional(z.string()),
});
export type Plan = z.infer<typeof plan>;

export const deployRecord = z.object({
  id: z.string(),
  app: z.string(),
  instance: z.string(),
  previous: z.nullable(z.string()),
  outcome: z.enum(['done', 'aborted', 'rolled-back', 'unchanged']),
  epoch: z.int(),
  error: z.optional(wireError),
  files: z.object({ total: z.number(), sent: z.number() }),
  /** `wire`: bytes sent to all nodes together, compressed unless the nodes are on the controller's machine. */
  bytes: z.object({ total: z.number(), sent: z.number(), wire: z.number() }),
  ms: z.object({ total: z.number(), stage: z.number(), switch: z.number(), skew: z.number() }),
  /** Counted by the balancers around the switch; absent where nothing counts. */
  requests: z.optional(
    z.object({
      releases: z.record(z.string(), z.object({ requests: z.number(), failed: z.number() })),
      failed: z.number(),
      /** Responses of the old release to requests that began after the switch. */
      stale: z.number(),
    }),
  ),
  /** Milliseconds since the start of the deploy, for each node, of each thing that happened there. */
  timeline: z.optional(z.array(z.object({ node: z.string(), event: z.string(), ms: z.number() }))),
  /** Who asked for it: `user@machine`. */
  by: z.optional(z.string()),
  /** It is done, and its releases are still watched: it is rolled back by itself when they crash again and again. */
  watching: z.optional(z.literal(true)),
});
export type DeployRecord = z.infer<typeof deployRecord>;

export const upResult = z.object({
  set: z.string(),
  changes: z.int(),
  deploys: z.array(deployRecord),
  /** Addresses at which the set's locations answer. */
  sites: z.array(z.object({ url: z.string(), app: z.string(), address: z.string() })),
});
export type UpResult = z.infer<typeof upResult>;
export const deployResult = z.object({ deploys: z.array(deployRecord) });
export type DeployResult = z.infer<typeof deployResult>;
export const downResult = z.object({
  set: z.string(),
  destroyed: z.array(z.string()),
  /** The machines are the user's own: they left the set and were not destroyed. */
  keepsMachines: z.optional(z.boolean()),
});
export type DownResult = z.infer<typeof downResult>;
/** What the result of any of these may hold. */
export const anyResult = z.partial(z.extend(upResult, downResult.shape));
/** Newest first. */
export const deploysResult = z.object({
  set: z.string(),
  deploys: z.array(
    z.extend(deployRecord, {
      /** Milliseconds since 1970. */
      startedAt: z.number(),
      state: z.enum(['staging', 'committed', 'ended']),
    }),
  ),
});
export type DeploysResult = z.infer<typeof deploysResult>;

const usage = z.object({ used: z.number(), total: z.number() });
export const statusResult = z.object({
  set: z.string(),
  controller: z.object({ version: z.string(), pid: z.number(), url: z.string(), upSince: z.number() }),
  generation: z.int(),
  /** As in `downResult`: what `sl down` would do with the nodes. */
  keepsMachines: z.optional(z.boolean()),
  nodes: z.array(
    z.object({
      name: z.string(),
      address: z.nullable(z.string()),
      roles: z.array(z.string()),
      state: z.enum(['healthy', 'degraded', 'down', 'missing']),
      /** Why it is not healthy. */
      reasons: z.array(z.string()),
      /** Version of its agent. */
      agent: z.nullable(z.string()),
      generation: z.nullable(z.int()),
      /** Milliseconds since 1970. */
      lastSeen: z.nullable(z.number()),
      load: z.nullable(z.number()),
      memory: z.nullable(usage),
      disk: z.nullable(usage),
    }),
  ),
  apps: z.array(
    z.object({
      name: z.string(),
      locations: z.array(z.string()),
      active: z.nullable(z.string()),
      /** What is to be known of its last deploy: it is watched, or was rolled back. */
      notices: z._default(z.array(z.string()), []),
      instances: z.array(z.object({ node: z.string(), instance: z.string(), state: z.string() })),
    }),
  ),
});
export type StatusResult = z.infer<typeof statusResult>;

/** What an operation says while it runs. */
export const progressEvent = z.object({
  type: z.literal('progress'),
  /** Milliseconds since 1970. */
  at: z.number(),
  status: z.enum(['started', 'running', 'ok', 'changed', 'failed', 'info', 'warning']),
  /** Which part of the work: a plan step's action, or `stage`, `hook`, `switch`, `drain`... */
  action: z.string(),
  node: z.optional(z.string()),
  app: z.optional(z.string()),
  text: z.string(),
  done: z.optional(z.number()),
  total: z.optional(z.number()),
});
export type ProgressEvent = z.infer<typeof progressEvent>;
export const operationEvent = z.discriminatedUnion('type', [
  /** First line: names the operation, for attaching and cancelling. */
  z.object({ type: z.literal('operation'), id: z.string(), kind: z.string(), set: z.string() }),
  progressEvent,
  z.object({ type: z.literal('done'), result: z.unknown() }),
  z.object({ type: z.literal('failed'), error: wireError, result: z.optional(z.unknown()) }),
]);
export type OperationEvent = z.infer<typeof operationEvent>;

/** Who asks, for records and for who finds the set locked: `user@machine`. */
const by = z.optional(z.string().check(z.maxLength(200)));
/** Whether the operation ends when its releases are no longer watched, instead of when they are switched and verified. */
const watch = z.optional(z.boolean());

/** Requests: `POST /v1/VERB` with the body; `up`, `deploy`, `rollback`, `down` stream operation events. */
export const apiRequests = {
  plan: z.strictObject({ set: serverSet, deep: z._default(z.boolean(), false) }),
  up: z.strictObject({ set: serverSet, installHostPackages: z._default(z.boolean(), false), watch, by }),
  deploy: z.strictObject({ set: serverSet, apps: z._default(z.array(z.string()), []), watch, by }),
  rollback: z.strictObject({ set: z.string(), app: z.optional(z.string()), to: z.optional(z.string()), watch, by }),
  down: z.strictObject({ set: z.string(), by }),
  status: z.strictObject({ set: z.string() }),
  logs: z.strictObject({
    set: z.string(),
    app: z.optional(z.string()),
    node: z.optional(z.string()),
    lines: z._default(z.int().check(z.minimum(0), z.maximum(100_000)), 100),
    follow: z._default(z.boolean(), false),
  }),
  /** With `id` those of one operation, or one of them; a part from the beginning is enough where it is the only one. */
  deploys: z.strictObject({ set: z.string(), id: z.optional(z.string()) }),
  /** Streams an operation from its beginning, running or ended. */
  attach: z.strictObject({ operation: z.string() }),
  /** Cancels an operation as Ctrl-C does; what is committed is finished. */
  cancel: z.strictObject({ operation: z.string() }),
} as const satisfies Record<string, z.ZodMiniType>;
export type ApiVerb = keyof typeof apiRequests;
export type ApiRequest<V extends ApiVerb> = z.infer<(typeof apiRequests)[V]>;

export const controllerInfo = z.object({
  version: z.string(),
  pid: z.number(),
  /** `wss://HOST:PORT` as agents are told when nothing else is configured. */
  port: z.number(),
  /** Unix socket of this API: outside the state directory when the path there would be too long for a socket. */
  socket: z.string(),
  upSince: z.number(),
  sets: z.array(z.string()),
  operations: z.array(z.object({ id: z.string(), kind: z.string(), set: z.string(), since: z.number() })),
});
export type ControllerInfo = z.infer<typeof controllerInfo>;

export const logLine = z.object({
  node: z.string(),
  /** Milliseconds since 1970. */
  at: z.number(),
  source: z.string(),
  text: z.string(),
});
export type LogLine = z.infer<typeof logLine>;
