import { describe, expect, it } from 'vitest';
import { instanceJournal } from '../../../../../test/builders/instance-journal.ts';
import {
  candidatePorts,
  FIRST_PORT,
  holdsAll,
  instanceReports,
  isInDoubt,
  missingActive,
  settlement,
  unfinishedOf,
} from './choices.ts';
import type { InstanceJournal } from './journal.ts';

describe('choices', () => {
  const name = (n: number) => `blog.20260131_00${n}`;
  const journal = (n: number, state: InstanceJournal['state']) => instanceJournal(name(n), state);

  it('never stop or remove the active instance, and keep what is to be kept', () => {
    const journals = [journal(1, 'prepared'), journal(2, 'prepared'), journal(3, 'prepared'), journal(4, 'staging')];
    const order = { app: 'blog', keep: [name(2)], running: [] };
    expect(settlement(order, journals, { blog: name(3) })).toEqual({ stop: [name(2)], remove: [name(1)] });
    expect(settlement({ ...order, running: [name(2)] }, journals, { blog: name(3) })).toEqual({
      stop: [],
      remove: [name(1)],
    });
    expect(settlement({ ...order, app: 'other' }, journals, {})).toEqual({ stop: [], remove: [] });
  });

  it('try the lowest port that nobody has', () => {
    expect(candidatePorts([FIRST_PORT, FIRST_PORT + 2]).next().value).toBe(FIRST_PORT + 1);
  });

  it('know what of the committed map is missing here', () => {
    expect(missingActive([journal(1, 'prepared'), journal(2, 'stopped')], { blog: name(2), shop: 'shop.1' })).toEqual([
      'blog',
      'shop',
    ]);
    expect(
      instanceReports([journal(1, 'prepared'), journal(2, 'prepared')], { blog: name(2) }).map((it) => it.state),
    ).toEqual(['staged', 'active']);
  });

  it('let a node have requests when it holds what it committed to and what it has heard of', () => {
    const here = [journal(1, 'prepared')];
    const at = (epoch: number, n: number) => ({ epoch, active: { blog: name(n) } });
    const nothing = { epoch: 0, active: {} };
    expect(holdsAll(here, at(1, 1), undefined)).toBe(true);
    expect(holdsAll(here, at(2, 2), undefined)).toBe(false);
    expect(holdsAll(here, at(1, 1), at(2, 2))).toBe(false);
    expect(holdsAll([...here, journal(2, 'prepared')], at(1, 1), at(2, 2))).toBe(true);
    expect(holdsAll([], nothing, undefined)).toBe(false);
    expect(holdsAll([], nothing, nothing)).toBe(true);
  });

  it('keep a node from requests that cannot start what may have been switched to, until it is told', () => {
    const voted = (epoch: number) => [{ ...journal(2, 'prepared'), epoch }];
    expect(isInDoubt(voted(4), { epoch: 4 }, undefined)).toBe(true);
    expect(isInDoubt(voted(4), { epoch: 4 }, {})).toBe(false);
    expect(isInDoubt(voted(3), { epoch: 4 }, undefined)).toBe(false);
    expect(isInDoubt([], { epoch: 4 }, undefined)).toBe(false);
  });

  it('know what is left to be stopped and removed, never what is active', () => {
    const left = new Map([
      [name(1), 'stop' as const],
      [name(2), 'remove' as const],
      [name(3), 'remove' as const],
      ['shop.20260131_001', 'stop' as const],
    ]);
    expect(unfinishedOf('blog', left, { blog: name(3) })).toEqual({ stop: [name(1)], remove: [name(2)] });
  });
});
