import type { DeployRecord } from '@silverlining/protocol';
import { expect, it } from 'vitest';
import { deploy } from '../io/store/contract-records.ts';
import type { DeployRow } from '../ports.ts';
import { noticesOf } from './notices.ts';

const [FIRST, SECOND] = ['blog.20260131_001', 'blog.20260131_002'];

function ended(id: string, instance: string, said: Partial<DeployRecord>): DeployRow {
  const row = deploy('shop', id, instance, { state: 'ended' });
  return { ...row, record: { ...row.record, ...said } };
}

const error = { code: 'E_APP_CRASHED' as const, message: 'it crashed' };
const watched = ended('deploy-1.blog', FIRST, { outcome: 'done', watching: true });
const back = ended('deploy-1.blog', FIRST, { outcome: 'rolled-back', error });
const aborted = ended('deploy-2.blog', SECOND, { outcome: 'aborted', error });
const trusted = ended('deploy-3.blog', SECOND, { outcome: 'done' });

it.each([
  ['a release that is watched', [watched], [expect.stringMatching(`^${FIRST} is watched`)]],
  ['one that was rolled back', [back], [`${FIRST} was rolled back: it crashed (sl deploys show deploy-1.blog)`]],
  ['one that is watched when a later deploy was aborted', [watched, aborted], [expect.stringContaining('is watched')]],
  ['nothing of what was aborted', [aborted], []],
  ['nothing when a later one is trusted', [back, aborted, trusted], []],
  ['nothing of another app', [{ ...watched, app: 'shop' }], []],
])('tells of %s', (_what, rows, notices) => {
  expect(noticesOf('blog', rows)).toEqual(notices);
});
