import { describe, expect, it } from 'vitest';
import { decidedMap, isDecided } from './decision.ts';

const apps = [
  { app: 'blog', instance: 'blog.20260131_002', previous: 'blog.20260131_001' },
  { app: 'shop', instance: 'shop.20260131_001', previous: null },
];
const before = { blog: 'blog.20260131_001', wiki: 'wiki.20260130_001' };
const after = { blog: 'blog.20260131_002', shop: 'shop.20260131_001', wiki: 'wiki.20260130_001' };

describe('the decision', () => {
  it('names the new instances, and going back those before, one that had none included', () => {
    expect(decidedMap(before, apps, 'forward')).toEqual(after);
    expect(decidedMap(after, apps, 'back')).toEqual(before);
  });

  it('is written when a newer row has its map', () => {
    expect(isDecided({ epoch: 5, active: after }, 4, after)).toBe(true);
    expect(isDecided({ epoch: 4, active: after }, 4, after)).toBe(false);
    expect(isDecided({ epoch: 5, active: before }, 4, after)).toBe(false);
    expect(isDecided(undefined, 4, after)).toBe(false);
  });
});
