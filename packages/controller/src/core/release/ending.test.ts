import { describe, expect, it } from 'vitest';
import { deploy, release } from '../../io/store/contract-records.ts';
import { endingOf } from './ending.ts';

const [OLD, NEW] = ['blog.20260131_001', 'blog.20260131_002'];
const row = (state: 'staging' | 'committed') => deploy('shop', 'deploy-1.blog', NEW, { state, startedAt: 5000 });
const made = (committedAt?: number) => release('shop', NEW, { createdAt: 5000, committedAt });

describe('a deploy that was cut off', () => {
  it('is aborted without a commit, and its release goes', () => {
    const { record, forget } = endingOf(row('staging'), { epoch: 4, active: { blog: OLD } }, made());
    expect(record).toMatchObject({ outcome: 'aborted', error: { code: 'E_ABORTED' } });
    expect(forget).toBe(true);
  });

  it('is done when the row names its instance', () => {
    const { record, forget } = endingOf(row('committed'), { epoch: 4, active: { blog: NEW } }, made(5100));
    expect(record).toMatchObject({ outcome: 'done', epoch: 4 });
    expect(record.error).toBeUndefined();
    expect(forget).toBe(false);
  });

  it.each([{ blog: OLD }, {}])(
    'is no success when the row has gone back to %o, and nobody rolls back to it',
    (active) => {
      const { record, forget } = endingOf(row('committed'), { epoch: 5, active }, made(5100));
      expect(record).toMatchObject({ outcome: 'rolled-back', epoch: 5, error: { code: 'E_APP_UNHEALTHY' } });
      expect(forget).toBe(true);
    },
  );

  it.each([
    ['staging', 100],
    ['committed', 100],
    // The clock was set back since.
    ['committed', 9000],
  ] as const)('leaves a release that was there before it (%s, made at %i)', (state, createdAt) => {
    const before = release('shop', NEW, { createdAt, committedAt: 200 });
    expect(endingOf(row(state), { epoch: 4, active: { blog: OLD } }, before).forget).toBe(false);
  });
});
