/** What the controller may ask an agent about releases: a part of the table in messages.ts, with the same rules. */
import * as z from 'zod/mini';
import { manifestChanges } from './manifest-changes.ts';
import { appName, digest, instanceName } from './names.ts';
import {
  activeMap,
  epoch,
  imageOffer,
  imageWish,
  inlineArchive,
  instanceSpec,
  manifest,
  transferId,
} from './release.ts';
import { updateFetch } from './server-set.ts';

const nothing = z.object({});
const milliseconds = z.number().check(z.minimum(0));

export const releaseRequests = {
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
      /** Instead of all these, for agents whose hello says that they take images. */
      image: z.optional(imageOffer),
    }),
    reply: z.object({
      /**
       * Base64 bitmap over `manifest.files`: bit i (LSB first) set when the content of file i is missing. Empty when the
       * release was offered as its own base: nothing of it is missing.
       */
      missing: z.string(),
      /** Free bytes for releases. */
      free: z.number(),
      /** Answer to an offer of an image; absent when the node wants what it lacks, and so an offer of all files. */
      image: z.optional(imageWish),
    }),
  },
  /** Take the image that was offered. Nothing of it is used before `stage` says its digest. */
  image: {
    request: z.object({
      instance: instanceName,
      /** Brings an index of the contents, then the image in which they stand; compressed by zstd unless `plain`. */
      transfer: transferId,
      plain: z.optional(z.boolean()),
      /** Bytes of the index, of the image, and of the text of the manifest, which stands in the image from the second block on. */
      index: z.int().check(z.positive()),
      bytes: z.int().check(z.positive()),
      manifest: z.int().check(z.positive()),
    }),
    reply: nothing,
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
      /** In place of an archive: SHA-256 of what `image` brought, before it was compressed. */
      image: z.optional(digest),
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
} as const satisfies Record<string, { request: z.ZodMiniType; reply: z.ZodMiniType }>;
