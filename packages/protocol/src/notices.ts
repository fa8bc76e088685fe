/** What agent and controller may say unasked on the control socket. Like requests (messages.ts) they are added, never changed. */
import * as z from 'zod/mini';
import { facts, healthReport, instanceReport } from './health.ts';
import { trust } from './order.ts';
import { activeMap, epoch, heardEpoch } from './release.ts';

export const agentNotices = {
  hello: z.object({
    protocol: z.int(),
    /** Oldest protocol version that the agent still speaks. */
    minProtocol: z.int(),
    version: z.string(),
    facts,
    generation: z.int(),
    epoch,
    heardEpoch,
    active: activeMap,
    instances: z.array(instanceReport),
    /** Characters of an archive that `stage` may bring itself. Absent of agents that know transfers alone. */
    inlineArchive: z.optional(z.int().check(z.nonnegative())),
    /** Takes the files of a release as a tar that is not compressed. */
    plainArchive: z.optional(z.boolean()),
    /** Takes a manifest as the text that its digest is of, which is less work for it than JSON. */
    manifestText: z.optional(z.boolean()),
    /** Takes a release that it has nothing of as an image. */
    releaseImages: z.optional(z.boolean()),
    /** Knows the resource `former-unit`; an agent that does not would refuse all that comes with it. */
    formerUnits: z.optional(z.boolean()),
    /** Knows commands that run unless a package is installed; as above. */
    packageGuards: z.optional(z.boolean()),
    /** Since protocol 2: requests are to be signed. Absent where the node was given no key. */
    trust: z.optional(trust),
  }),
  health: healthReport,
  /** What an agent is doing for the request `re`; for people. */
  progress: z.object({
    stage: z.string(),
    text: z.string(),
    done: z.optional(z.number()),
    total: z.optional(z.number()),
  }),
} as const satisfies Record<string, z.ZodMiniType>;

export type NoticeType = keyof typeof agentNotices;
export type NoticeBody<T extends NoticeType> = z.infer<(typeof agentNotices)[T]>;

/** What the controller may say unasked. No answer follows. */
export const controllerNotices = {
  /** The request `re` is no longer wanted: its signal is aborted, and whatever it still answers is ignored. */
  cancel: z.object({}),
} as const satisfies Record<string, z.ZodMiniType>;
