/** What agents say of their nodes. */
import * as z from 'zod/mini';
import { activeMap, heardEpoch, instanceState } from './release.ts';

export const facts = z.object({
  hostname: z.string(),
  os: z.object({ id: z.string(), version: z.string(), name: z.string() }),
  arch: z.string(),
  cpus: z.int(),
  /** Bytes. */
  memory: z.number(),
  bootId: z.string(),
  /** SHA-256 of the bundle that the agent runs from. */
  agentDigest: z.string(),
  /** Version of the Node that it runs under. Agents that do not say it can replace nothing but their bundle. */
  runtime: z.optional(z.string()),
  /** SHA-256 of its unit file. */
  unit: z.optional(z.string()),
  /** Whether the node's kernel has IPv6; earlier agents do not say it. */
  ipv6: z.optional(z.boolean()),
});
export type Facts = z.infer<typeof facts>;

export const instanceReport = z.object({
  app: z.string(),
  instance: z.string(),
  state: instanceState,
  /** Digest of its manifest. */
  digest: z.string(),
});
export type InstanceReport = z.infer<typeof instanceReport>;

/** What the active instance of an app answered over its health path. */
export const appAnswer = z.object({
  app: z.string(),
  instance: z.string(),
  healthy: z.boolean(),
  /** HTTP status, where it answered. */
  status: z.optional(z.number()),
  error: z.optional(z.string()),
});
export type AppAnswer = z.infer<typeof appAnswer>;

const usage = z.object({ used: z.number(), total: z.number() });

export const healthReport = z.object({
  /** The node's clock, milliseconds since 1970. */
  clock: z.number(),
  /** One minute load average. */
  load: z.number(),
  /** Bytes. */
  memory: usage,
  /** Bytes of the file system that holds the releases. */
  disk: usage,
  /** The units of the node's roles. */
  units: z.array(z.object({ name: z.string(), active: z.boolean(), state: z.string() })),
  /** The active instance of each app, asked over its health path. */
  apps: z.array(
    z.extend(appAnswer, {
      /** Starts by systemd since it was staged. */
      restarts: z.int(),
    }),
  ),
  instances: z.array(instanceReport),
  active: activeMap,
  epoch: z.int(),
  heardEpoch,
  generation: z.int(),
});
export type HealthReport = z.infer<typeof healthReport>;
