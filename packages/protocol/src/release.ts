/** What a release consists of, and how an instance of it runs. */
import * as z from 'zod/mini';
import { appName, digest, instanceName } from './names.ts';
import { platform } from './server-set.ts';

export const RELEASE_PATH = /^(?:app|config)(?:\/(?!\.{1,2}(?:\/|$))[^/\\\p{Cc}]+)+$/u;
/** Characters of a path, and of what a link leads to. */
export const MAX_PATH = 1024;
/**
 * Path inside a release: relative, below `app/` (the app's directory) or `config/` (its configuration), `/` between
 * parts, no `.`/`..` parts, no backslash, no control characters.
 */
export const releasePath = z
  .string()
  .check(z.maxLength(MAX_PATH), z.regex(RELEASE_PATH, 'not a path inside the release'));

export const manifestFile = z.object({
  path: releasePath,
  mode: z.union([z.literal(0o644), z.literal(0o755)]),
  /** Bytes. */
  size: z.int().check(z.minimum(0)),
  sha256: digest,
});
export type ManifestFile = z.infer<typeof manifestFile>;

export const manifestLink = z.object({
  path: releasePath,
  /** Relative target that stays inside the same part of the release. */
  target: z.string().check(z.minLength(1), z.maxLength(MAX_PATH)),
});
export type ManifestLink = z.infer<typeof manifestLink>;

/** Every file of a release, sorted by path in code-unit order. */
export const manifest = z.object({
  version: z.literal(1),
  app: appName,
  files: z.array(manifestFile),
  links: z.array(manifestLink),
});
export type Manifest = z.infer<typeof manifest>;

/** How the agent runs an instance beside the others, and sees that it is healthy. */
export const instanceSpec = z.object({
  app: appName,
  instance: instanceName,
  platform,
  /** Relative to the app's directory; `#object` kept. */
  runner: z.optional(z.string()),
  command: z.optional(z.array(z.string())),
  /** Worker processes; 0 lets the platform decide. */
  processes: z.int().check(z.minimum(0), z.maximum(64)),
  /** Complete but for what only the node knows (PORT, TEMP, SILVER_LOGS, ...). Holds secrets of services. */
  env: z.record(z.string(), z.string()),
  packages: z.array(z.string()),
  packageInstallScript: z.optional(z.string()),
  afterInstallScript: z.optional(z.string()),
  health: z.object({
    path: z.string().check(z.startsWith('/')),
    /** Host header to ask with. */
    host: z.string(),
    /** Seconds. */
    timeout: z.number().check(z.positive()),
  }),
});
export type InstanceSpec = z.infer<typeof instanceSpec>;

/** Where an instance is on a node. `active` is what the newest committed epoch says, the rest is what the agent did. */
export const instanceState = z.enum(['staging', 'staged', 'active', 'stopped', 'failed']);

/** Which instance answers for each app; one map for the whole set, so that one write switches any number of apps. */
export const activeMap = z.record(appName, instanceName);
export type ActiveMap = z.infer<typeof activeMap>;

/** Grows with every commit of a set. */
export const epoch = z.int().check(z.minimum(0));
/** The newest that a node was told of and could not follow to, as where its disk was full: until it can it takes no requests. */
export const heardEpoch = z.optional(epoch);

/** A release that a node may have nothing of: then it comes as the image that it is to be, laid out by the controller. */
export const imageOffer = z.object({
  platform,
  files: z.int().check(z.positive()),
  /** Of the image, about. */
  bytes: z.int().check(z.positive()),
  /** Keys of contents, from all over the release: who has one of them has more of it, and is better off with what is missing. */
  sample: z.array(z.string().check(z.maxLength(66))).check(z.maxLength(256)),
});
export type ImageOffer = z.infer<typeof imageOffer>;

/** What an image for the node has to be made with. */
export const imageWish = z.object({
  /** Files of `support/`, name to content. */
  support: z.record(z.string(), z.string()),
});
export type ImageWish = z.infer<typeof imageWish>;

/** Names a bulk socket that the agent opens at `/v1/transfer/ID` for the request that has it. */
export const transferId = z.string().check(z.regex(/^[A-Za-z0-9_-]{16,64}$/));

/**
 * Characters of an archive that goes with the order to stage it. A bulk socket takes three round trips to open, which is more than
 * all else that a small change costs a node far away.
 */
export const INLINE_ARCHIVE = 64 << 10;
export const inlineArchive = z.base64().check(z.maxLength(INLINE_ARCHIVE));
