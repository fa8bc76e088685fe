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
import { manifestChanges } from './manifest-changes.ts';
import { appName, digest, instanceName } from './names.ts';
import { activeMap, epoch, inlineArchive, instanceSpec, manifest, transferId } from './release.ts';
import { resource, resourceReport } from './resources.ts';
import { updateFetch } from './server-set.ts';
import { topology } from './topology.ts';
import { topologyDifference } from './topology-change.ts';

/** Characters of a unit file. */
const MAX_UNIT = 64 << 10;
const nothing = z.object({});
const milliseconds = z.number().check(z.minimum(0));

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
  /** Offers a release; the reply says what of it the node lacks. */
  offer: {
    request: z.object({
      instance: instanceName,
      app: appName,
      digest,
      /**
       * The manifest itself when it is small; otherwise `transfer` brings it: zstd of the text that the digest is of, or of its JSON
       * for agents whose hello does not say that they take the text.
       */
      manifest: z.optional(manifest),
      transfer: z.optional(transferId),
      /** Instead of either: a release that the node is said to have, and how this one differs. E_NOT_FOUND when it has not. */
      base: z.optional(z.object({ instance: instanceName, digest })),
      changes: z.optional(manifestChanges),
      /** Whether a script of its own runs as root in it: then it shares no file with others, and takes more room. */
      scripted: z.optional(z.boolean()),
    }),
    reply: z.object({
      /**
       * Base64 bitmap over `manifest.files`: bit i (LSB first) set when the content of file i is missing. Empty when the
       * release was offered as its own base: nothing of it is missing.
       */
      missing: z.string(),
      /** Free bytes for releases. */
      free: z.number(),
    }),
  },
  /** Send files of a release that is here, as an archive for a node that lacks them. `missing` as an offer answers it. */
  lend: { request: z.object({ instance: instanceName, missing: z.string(), transfer: transferId }), reply: nothing },
  /** Says what large missing files of an offer consist of; the archive of `stage` then holds just the chunks that the node lacks. */
  chunks: {
    request: z.object({
      instance: instanceName,
      /** Brings `chunkLists`, as zstd of their JSON. */
      transfer: transferId,
    }),
    reply: z.object({
      /** For each list, in order: base64 bitmap of the chunks that are missing. */
      missing: z.array(z.string()),
    }),
  },
  /** Unpack, verify, start beside the others, wait until healthy. The reply means: durable on the node. */
  stage: {
    request: z.object({
      instance: instanceName,
      deploy: z.string(),
      epoch,
      /** Tar stream (zstd) of the missing files; absent when nothing is missing. */
      transfer: z.optional(transferId),
      /** The same stream itself, base64, in its place: for agents that say in their hello how much of it they take. */
      archive: z.optional(inlineArchive),
      /** What the transfer brings is not compressed: for agents whose hello says that they take that. */
      plain: z.optional(z.boolean()),
      spec: z.strictObject(instanceSpec.shape),
    }),
    reply: z.object({
      /** TCP port on loopback; 0 for static apps. */
      port: z.int(),
      ms: z.object({
        received: milliseconds,
        unpacked: milliseconds,
        started: milliseconds,
        healthy: milliseconds,
      }),
    }),
  },
  /** Runs the `update_fetch` lines of a staged instance; a second call for the same deploy returns the first one's reply. */
  hook: {
    request: z.object({
      instance: instanceName,
      deploy: z.string(),
      turn: z.enum(['primary', 'secondary']),
      fetches: z.array(updateFetch),
      /** Seconds for each line. */
      timeout: z.number().check(z.positive()),
    }),
    reply: z.object({
      results: z.array(z.object({ fetch: z.string(), ok: z.boolean(), detail: z.string(), ms: milliseconds })),
    }),
  },
  /** Removes what was staged under the name, processes included. Harmless when there is nothing. */
  abort: { request: z.object({ instance: instanceName, deploy: z.string() }), reply: nothing },
  /** The committed map. Refused when `epoch` is lower than the newest seen; repeating the newest is harmless. */
  switch: {
    request: z.object({ epoch, active: activeMap, deploy: z.optional(z.string()) }),
    reply: z.object({
      epoch,
      /** The node's clock when its map was in force, milliseconds since 1970. */
      at: z.number(),
    }),
  },
  /** Where several balancers switch: new requests wait, for so many seconds at most; 0 lets them go on. */
  hold: { request: z.object({ seconds: z.int().check(z.minimum(0), z.maximum(10)) }), reply: nothing },
  /** After the drain: stops instances that no map names and removes all but the newest `keep` of each app. */
  settle: {
    request: z.object({ app: appName, keep: z.array(instanceName), running: z.array(instanceName) }),
    reply: z.object({ stopped: z.array(z.string()), removed: z.array(z.string()) }),
  },
  /** Counters of requests per release since the node's proxy started, from the balancer's or web server's log. */
  traffic: {
    request: z.object({ since: z.number() }),
    reply: z.object({
      releases: z.record(z.string(), z.object({ requests: z.number(), failed: z.number() })),
      /** Responses of a release that had been switched away from, to requests that began after the switch. */
      stale: z.number(),
    }),
  },
  /** Whether the balancer on the node takes each of its app servers, by name, for one that answers. */
  backends: { request: nothing, reply: z.object({ up: z.record(z.string(), z.boolean()) }) },
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
