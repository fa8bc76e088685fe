import { describe, expect, it } from 'vitest';
import { judge, type Logged } from './e2e/support/load.ts';

const answer = (began: number, ended: number, release: string, status = 200): Logged => ({
  began,
  ended,
  release,
  status,
});

describe('the verdict on a load', () => {
  it('lets requests in flight end on the old release', () => {
    const log = [answer(0, 10, 'a'), answer(5, 30, 'a'), answer(11, 20, 'b')];
    expect(judge(log, ['a', 'b'])).toMatchObject({ requests: 3, failed: [], stale: [] });
  });

  it('finds an old answer to a request that began after a new answer', () => {
    const late = answer(21, 30, 'a');
    expect(judge([answer(11, 20, 'b'), late], ['a', 'b']).stale).toEqual([late]);
  });

  it('counts 5xx and missing answers as failed', () => {
    expect(judge([answer(0, 1, 'a', 503), answer(0, 1, '', 0), answer(0, 1, 'a', 404)], ['a']).failed).toHaveLength(2);
  });
});
