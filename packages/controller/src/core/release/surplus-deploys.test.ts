import { describe, expect, it } from 'vitest';
import { DEPLOYS_KEPT, surplusDeploys } from './surplus-deploys.ts';

const row = (id: number, instance = `blog.20260131_${id}`, state: 'ended' | 'staging' = 'ended') => ({
  ...{ id: `d${id}`, instance, state },
});
const rows = (count: number) => Array.from({ length: count }, (_, i) => row(i));

describe('deploys that the journal may forget', () => {
  it('are none as long as there are few', () => {
    expect(surplusDeploys(rows(DEPLOYS_KEPT), new Set())).toEqual([]);
  });

  it('are the oldest', () => {
    expect(surplusDeploys(rows(DEPLOYS_KEPT + 2), new Set())).toEqual(['d0', 'd1']);
  });

  it('are not those that are under way, or that made a release that is still there', () => {
    const [first, second, third, ...others] = rows(DEPLOYS_KEPT + 4);
    const left = row(1, second?.instance, 'staging');
    const all = [first, left, third, ...others].flatMap((it) => it ?? []);
    expect(surplusDeploys(all, new Set(['blog.20260131_0']))).toEqual(['d2', 'd3']);
  });

  it('are what went back to a release again and again, but not what last gave a name', () => {
    const back = Array.from({ length: DEPLOYS_KEPT + 3 }, (_, i) => row(i + 2, 'blog.20260131_0'));
    const gone = surplusDeploys([row(0), row(1), ...back], new Set(['blog.20260131_0']));
    expect(gone).toEqual(['d2', 'd3', 'd4']);
  });
});
