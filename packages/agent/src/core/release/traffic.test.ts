import { describe, expect, it } from 'vitest';
import { parseTrafficTable, trafficReply } from './traffic.ts';

describe('traffic', () => {
  const text = `# table: silver_releases, type: string, size:10240, used:2
0x7f1: key=blog.1 use=0 exp=3599000 shard=0 gpc0=0 http_req_cnt=12 http_fail_cnt=1
0x7f2: key=blog.2 use=1 exp=3599000 shard=0 gpc0=2 http_req_cnt=5 http_fail_cnt=0
`;

  it('is read from the stick table', () => {
    expect(parseTrafficTable(text)).toEqual({
      'blog.1': { requests: 12, failed: 1, mismatched: 0 },
      'blog.2': { requests: 5, failed: 0, mismatched: 2 },
    });
  });

  it('counts what an old release got after the switch as stale, and answers of another release', () => {
    const baseline = parseTrafficTable('0x1: key=blog.1 gpc0=0 http_req_cnt=10 http_fail_cnt=1');
    expect(trafficReply(parseTrafficTable(text), baseline, { blog: 'blog.2' })).toEqual({
      releases: { 'blog.1': { requests: 12, failed: 1 }, 'blog.2': { requests: 5, failed: 0 } },
      stale: 2 + 2,
    });
  });

  it('starts from nothing when the balancer did', () => {
    const baseline = parseTrafficTable('0x1: key=blog.1 gpc0=0 http_req_cnt=100 http_fail_cnt=0');
    const now = parseTrafficTable('0x1: key=blog.1 gpc0=0 http_req_cnt=3 http_fail_cnt=0');
    expect(trafficReply(now, baseline, {}).stale).toBe(3);
  });
});
