import type { Notification } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { addDue, type Due, planActions, withoutUnit } from './notifications.ts';

const check = ['apache2ctl', 'configtest'];
const reload: Notification = { unit: 'apache2.service', action: 'reload', check };
const restart: Notification = { unit: 'apache2.service', action: 'restart' };

function due(...asked: [string, Notification[]][]): Due[] {
  return asked.reduce<Due[]>((all, [id, notify]) => addDue(all, id, notify), []);
}

describe('notifications', () => {
  it('are kept once, with all who asked', () => {
    expect(due(['file:a', [reload]], ['file:b', [reload]])).toEqual([
      { notification: reload, by: ['file:a', 'file:b'] },
    ]);
  });

  it('become one action a unit: a restart covers a reload, and its checks stay', () => {
    expect(planActions(due(['file:a', [reload]], ['packages:p', [restart]]))).toEqual([
      { unit: 'apache2.service', action: 'restart', checks: [check], by: ['file:a', 'packages:p'] },
    ]);
  });

  it('are not needed for a unit that was started after the change', () => {
    expect(withoutUnit(due(['file:a', [reload]]), 'apache2.service')).toEqual([]);
  });
});
