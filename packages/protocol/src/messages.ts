/**
 * What the controller may ask an agent on the control socket, as a literal table: each message with the schema of its one reply.
 * What either end may say unasked is in notices.ts. Messages are added, never changed.
 *
 * Both ends ignore fields that they do not know, so that messages may grow: a field may be added where leaving it out does no
 * harm. Strict is only what a node is to do on itself (resources, an instance's specification, `update_fetch` lines): half
 * understood it is refused. What must not be ignored takes a new protocol version (version.ts).
 */
import * as z from 'zod/mini';
import { appAnswer, healthReport, instanceReport } from './health.ts';
import { appName, digest } from './names.ts';
import { activeMap, epoch, transferId } from './release.ts';
import { releaseRequests } from './release-messages.ts';
import { resource, resourceReport } from './resources.ts';
import { topology } from './topology.ts';
import { topologyDifference } from './topology-change.ts';

/** Characters of a unit file. */
const MAX_UNIT = 64 << 10;
const nothing = z.object({});

export const agentRequests = {
  /** First answer to hello: what is true for the node. The agent brings itself there. */
  welcome: {
    request: z.object({
      set: z.string(),
      node: z.string(),
      epoch,
      active: activeMap,
      /** Milliseconds between health reports. */
      healthInterval: z.int().check(z.positive()),
    }),
    reply: z.object({ epoch }),
  },
  topology: { request: z.object({ topology }), reply: z.object({ generation: z.int() }) },
  /**
   * What differs from the topology that the node has. E_CONFLICT when it has another one than that, or when what comes of it
   * is not what the digest says: then the whole of it follows.
   */
  'topology-change': {
    request: z.extend(topologyDifference, {
      /** SHA-256 (hex) of the new topology as JSON. */
      digest,
    }),
    reply: z.object({ generation: z.int() }),
  },
  converge: {
    request: z.object({
      /** `check` reports what would change and changes nothing. */
      mode: z.enum(['apply', 'check']),
      resources: z.array(resource),
      /** Units whose state belongs to the node's health. */
      watch: z._default(z.array(z.string()), []),
    }),
    reply: z.object({ reports: z.array(resourceReport) }),
  },
  ...releaseRequests,
  /** A health report now, without waiting for the next one. */
  probe: { request: nothing, reply: z.object({ health: healthReport }) },
  /**
   * What the node can serve and, with `ask`, whether its active apps answer. Of `probe` it is the part that costs a node
   * next to nothing, since it needs no process.
   */
  serving: {
    request: z.object({
      ask: z.boolean(),
      /** How many of the last lines that each app wrote are wanted; they cost a process. */
      log: z.optional(z.int().check(z.minimum(0), z.maximum(1000))),
    }),
    reply: z.object({
      epoch,
      active: activeMap,
      instances: z.array(instanceReport),
      /** Empty unless it was asked for. */
      apps: z.array(
        z.extend(appAnswer, {
          /** Names the run of the instance's process; another one after a restart. Absent while it does not run. */
          run: z.optional(z.string()),
          log: z.optional(z.array(z.string())),
        }),
      ),
    }),
  },
  /** Streams journal lines over the transfer until it is closed, or until the end without `follow`. */
  logs: {
    request: z.object({
      transfer: transferId,
      app: z.optional(appName),
      lines: z.int().check(z.minimum(0), z.maximum(100_000)),
      follow: z.boolean(),
    }),
    reply: nothing,
  },
  /** Keep the Node binary that `transfer` brings, compressed by gzip, for the update that comes next. */
  runtime: { request: z.object({ transfer: transferId, digest }), reply: nothing },
  /**
   * Start as the bundle that `transfer` brings, where that is said with another unit file and under the Node that was kept; all that
   * was before comes back if the new agent does not connect.
   */
  'update-agent': {
    request: z.object({
      transfer: transferId,
      digest,
      unit: z.optional(z.string().check(z.maxLength(MAX_UNIT))),
      runtime: z.optional(digest),
    }),
    reply: nothing,
  },
  /**
   * The node is taken out of its set: stop the apps, forget the identity, do not connect again. `putBack`: the machine goes
   * on without us, so what was there before is put back and the agent removes itself.
   */
  retire: { request: z.object({ reason: z.string(), putBack: z.optional(z.boolean()) }), reply: nothing },
} as const satisfies Record<string, { request: z.ZodMiniType; reply: z.ZodMiniType }>;

export type RequestType = keyof typeof agentRequests;
export type RequestBody<T extends RequestType> = z.infer<(typeof agentRequests)[T]['request']>;
export type ReplyBody<T extends RequestType> = z.infer<(typeof agentRequests)[T]['reply']>;

/**
 * Answer to `POST /v1/renew` over mutual TLS, without a body: a certificate (PEM) of the same key and identity with a new
 * validity. The one request that a certificate past its end may still make.
 */
export const renewReply = z.object({ certificate: z.string() });
