import { expect, it } from 'vitest';
import { deploy, release } from '../../io/store/contract-records.ts';
import { leftovers, neverLive } from './leftovers.ts';

const name = (n: number) => `blog.20260131_00${n}`;
const report = (n: number) => ({ app: 'blog', instance: name(n), state: 'staged' as const, digest: 'd' });
const row = (n: number, state: 'staging' | 'committed' | 'ended', outcome: 'aborted' | 'rolled-back' | 'done') => {
  const it = deploy('shop', `deploy-${n}.blog`, name(n), { state });
  return { ...it, record: { ...it.record, outcome } };
};

it('what is live or was is none', () => {
  const node = { active: { blog: name(5) }, instances: [1, 2, 3, 4, 5].map(report) };
  const releases = [release('shop', name(1), { committedAt: 5 }), release('shop', name(3))];
  expect(neverLive(node, { blog: name(2) }, releases)).toEqual([name(3), name(4)]);
});

it('what was aborted goes at once, not what is under way, what a balancer may still route to, or what nobody knows', () => {
  const rows = [row(1, 'ended', 'aborted'), row(2, 'staging', 'aborted'), row(3, 'ended', 'rolled-back')];
  expect(leftovers([1, 2, 3, 4].map(name), rows)).toEqual([{ instance: name(1), deploy: 'deploy-1.blog' }]);
});

it('what was aborted once and is under way again is none', () => {
  expect(leftovers([name(1)], [row(1, 'ended', 'aborted'), row(1, 'committed', 'done')])).toEqual([]);
});
