/** Requests by release, from the balancer's stick table. */
import type { ActiveMap, ReplyBody } from '@silverlining/protocol';
import * as z from 'zod/mini';

const counters = z.object({
  requests: z.number(),
  /** Answers of 500 and above. */
  failed: z.number(),
  /** Answers whose release was another one than the request was routed to. */
  mismatched: z.number(),
});
export type Counters = z.infer<typeof counters>;

export const trafficTable = z.record(z.string(), counters);
/** Counters of each release since the balancer started. */
export type TrafficTable = z.infer<typeof trafficTable>;

/** Parses the answer to `show table silver_releases`. Lines that are no entries are passed over. */
export function parseTrafficTable(text: string): TrafficTable {
  const table: TrafficTable = {};
  for (const line of text.split('\n')) {
    const key = /\bkey=(\S+)/.exec(line)?.[1];
    if (key === undefined) continue;
    table[key] = {
      requests: field(line, 'http_req_cnt'),
      failed: field(line, 'http_fail_cnt'),
      mismatched: field(line, 'gpc0'),
    };
  }
  return table;
}

function field(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}=(\\d+)`).exec(line)?.[1] ?? 0);
}

/**
 * What the protocol's `traffic` says. `baseline` is the table as it was right after the last switch: requests of
 * releases that are not active counted after it began after the switch and were answered by an old release.
 */
export function trafficReply(now: TrafficTable, baseline: TrafficTable, active: ActiveMap): ReplyBody<'traffic'> {
  const serving = new Set(Object.values(active));
  const releases: ReplyBody<'traffic'>['releases'] = {};
  let stale = 0;
  for (const [release, counts] of Object.entries(now)) {
    releases[release] = { requests: counts.requests, failed: counts.failed };
    if (!serving.has(release)) stale += growth(baseline[release]?.requests, counts.requests);
    stale += growth(baseline[release]?.mismatched, counts.mismatched);
  }
  return { releases, stale };
}

/** A counter lower than before started again from 0: the balancer was reloaded. */
function growth(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before;
}
