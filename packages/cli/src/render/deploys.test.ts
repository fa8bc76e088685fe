import { describe, expect, it } from 'vitest';
import { aDeploy } from '../../../../test/fakes/fake-service.ts';
import { deployStory, deploysLines } from './deploys.ts';
import { plain } from './paint.ts';
import { dateTime } from './text.ts';

describe('deploys', () => {
  it('of deploys shows each one’s outcome, and the state of one that is not over', () => {
    const base = { ...aDeploy, startedAt: 1_769_860_000_000 };
    const lines = deploysLines(
      {
        set: 'shop',
        deploys: [
          { ...base, state: 'staging' },
          { ...base, state: 'ended' },
        ],
      },
      plain,
    );
    expect(lines[1]).toContain('blog.20260131_002  staging');
    expect(lines[2]).toContain(`${dateTime(1_769_860_000_000)}  blog  blog.20260131_002  done`);
    expect(deploysLines({ set: 'shop', deploys: [] }, plain)).toEqual(['shop: nothing was deployed yet']);
  });
});

describe('the story of a deploy', () => {
  const timeline = [
    { node: 'app1', event: 'received', ms: 310 },
    { node: 'app1', event: 'healthy', ms: 580 },
    { node: 'app1', event: 'staged', ms: 600 },
    { node: 'controller', event: 'committed', ms: 640 },
    { node: 'balancer', event: 'switched', ms: 650 },
    { node: 'app1', event: 'drained', ms: 11_000 },
  ];
  const requests = { releases: { 'blog.20260131_001': { requests: 40, failed: 1 } }, failed: 1, stale: 0 };
  const it1 = {
    ...aDeploy,
    timeline,
    requests,
    by: 'anna@desk',
    startedAt: 1_769_860_000_000,
    state: 'ended' as const,
  };

  it('has a line for each node with its times, and what the releases served', () => {
    expect(deployStory(it1, plain)).toEqual([
      'deploy-1.blog: done',
      '  blog.20260131_002 (before: blog.20260131_001), epoch 7',
      `  started ${dateTime(1_769_860_000_000)} by anna@desk`,
      '  staged in 0.6 s, switched in 12 ms, 0.8 s in all',
      '  1 of 10,000 files sent (1.2 kB); 2,400 bytes over the wire',
      '  40 requests around the switch: 1 failed, 0 of the old release after it',
      '    blog.20260131_001  40 requests  1 failed',
      '',
      'NODE        RECEIVED  HEALTHY  STAGED  COMMITTED  SWITCHED  DRAINED',
      'app1        0.3 s     0.6 s    0.6 s   -          -         11.0 s',
      'controller  -         -        -       0.6 s      -         -',
      'balancer    -         -        -       -          0.7 s     -',
    ]);
  });

  it('of one that runs or failed says so, with why', () => {
    const error = { code: 'E_APP_CRASHED' as const, message: 'app2: it exited', details: { log: ['out of cheese'] } };
    const lines = deployStory({ ...it1, outcome: 'aborted', error, timeline: [], state: 'staging' }, plain);
    expect(lines[0]).toBe('deploy-1.blog: staging (still running)');
    expect(lines.slice(-2)).toEqual(['  error: app2: it exited [E_APP_CRASHED]', '    | out of cheese']);
  });
});
