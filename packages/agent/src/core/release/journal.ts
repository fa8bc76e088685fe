/** What the agent remembers of instances and of the committed map. Files on disk; parsed when they are read. */
import { activeMap, agentRequests, digest, instanceName, instanceSpec } from '@silverlining/protocol';
import * as z from 'zod/mini';
import { trafficTable } from './traffic.ts';

const hookRecord = z.discriminatedUnion('state', [
  /** Written before the first line runs: after a crash nobody can know how far it came. */
  z.object({ state: z.literal('started') }),
  z.object({ state: z.literal('done'), reply: agentRequests.hook.reply }),
]);

export const instanceJournal = z.object({
  version: z.literal(1),
  instance: instanceName,
  /** Secrets of services are in the environment file alone: `env` here holds only what requests need. */
  spec: instanceSpec,
  digest,
  /** Deploy that made it. Aborting another one stops the instance and leaves it. */
  deploy: z.string(),
  epoch: z.int(),
  /** 0 for static apps. */
  port: z.int(),
  /**
   * `staging`: half made; goes when the agent starts. `prepared`: the vote, durable before it is reported: runs and
   * can be switched to. `stopped`: on disk only. `failed`: on disk, but what is there is damaged.
   */
  state: z.enum(['staging', 'prepared', 'stopped', 'failed']),
  /** By deploy. */
  hooks: z.record(z.string(), hookRecord),
});
export type InstanceJournal = z.infer<typeof instanceJournal>;

export const committedMap = z.object({
  version: z.literal(1),
  epoch: z.int().check(z.minimum(0)),
  active: activeMap,
});
export type CommittedMap = z.infer<typeof committedMap>;

export const trafficBaseline = z.object({ version: z.literal(1), epoch: z.int(), table: trafficTable });
export type TrafficBaseline = z.infer<typeof trafficBaseline>;

export const NOTHING_COMMITTED: CommittedMap = { version: 1, epoch: 0, active: {} };
