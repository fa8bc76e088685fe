import { describe, expect, it } from 'vitest';
import { afterCrash, decideStart } from './update-record.ts';

const record = { previous: 'old', next: 'new', starts: 0 };

describe('decideStart', () => {
  it('does nothing without an update, or in the old bundle', () => {
    expect(decideStart(undefined, 'new')).toEqual({ action: 'nothing' });
    expect(decideStart(record, 'old')).toEqual({ action: 'nothing' });
  });

  it('counts the starts of the new bundle and takes it back after the third', () => {
    const first = decideStart(record, 'new');
    expect(first).toEqual({ action: 'prove', record: { ...record, starts: 1 } });
    expect(decideStart({ ...record, starts: 3 }, 'new')).toEqual({ action: 'leave' });
  });
});

it('afterCrash counts the crashes beside the starts, up to the third', () => {
  expect(afterCrash({ ...record, starts: 1 })).toEqual({ ...record, starts: 1, crashes: 1 });
  expect(afterCrash({ ...record, crashes: 1 })).toEqual({ ...record, crashes: 2 });
  expect(afterCrash({ ...record, crashes: 2 })).toBeUndefined();
});
