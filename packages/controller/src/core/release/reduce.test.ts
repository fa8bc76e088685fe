import type { WireError } from '@silverlining/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reduce, startReverting, startRollout } from './reduce.ts';
import { type Effect, isFinal, type RolloutEvent, type RolloutPlan, type Transition } from './rollout-state.ts';

const PLAN: RolloutPlan = {
  id: 'd1',
  apps: [
    { app: 'shop', instance: 'shop.20260101_002', previous: 'shop.20260101_001', hooks: true },
    { app: 'blog', instance: 'blog.20260101_001', previous: null, hooks: false },
  ],
  appservers: ['a1', 'a2'],
  balancers: ['b1'],
};
const BOOM: WireError = { code: 'E_APP_CRASHED', message: 'exited', node: 'a2' };

/** Drives a rollout: each effect succeeds unless `fail` names its key. Returns phases passed and effects seen. */
function drive(plan: RolloutPlan, fail: readonly string[] = []) {
  let at = startRollout(plan);
  const phases = [at.state.phase];
  const seen: string[] = [];
  let todo: Effect[] = at.effects;
  while (todo.length > 0) {
    const [effect, ...rest] = todo;
    if (effect === undefined) break;
    seen.push(effect.key);
    const event: RolloutEvent = fail.includes(effect.key)
      ? { type: 'failed', key: effect.key, error: BOOM }
      : { type: 'succeeded', key: effect.key };
    at = reduce(at.state, event);
    todo = [...rest.filter((it) => !at.cancel.includes(it.key)), ...at.effects];
    if (phases.at(-1) !== at.state.phase) phases.push(at.state.phase);
  }
  return { state: at.state, phases, seen };
}

describe('a rollout', () => {
  it('stages everywhere, hooks the primary first, commits, switches, informs, verifies', () => {
    const { phases, seen } = drive(PLAN);
    expect(phases).toEqual([
      'staging',
      'hooking-primary',
      'hooking-secondaries',
      'committing',
      'switching',
      'informing',
      'verifying',
      'done',
    ]);
    expect(seen.slice(4, 8)).toEqual(['hook a1 shop', 'hook a2 shop', 'commit forward', 'switch b1']);
  });

  it('lets requests wait while several balancers switch, whether or not one of them can be told', () => {
    const { seen, state } = drive({ ...PLAN, balancers: ['b1', 'b2'] }, ['release b2']);
    const from = seen.indexOf('commit forward');
    const held = ['hold b1', 'hold b2', 'switch b1', 'switch b2', 'release b1', 'release b2'];
    expect(seen.slice(from + 1, from + 7)).toEqual(held);
    expect(state.phase).toBe('done');
  });

  it('without a balancer the app servers decide, and there is nobody to inform', () => {
    const { phases, seen } = drive({ ...PLAN, balancers: [], apps: PLAN.apps.slice(1) });
    expect(phases).toEqual(['staging', 'committing', 'switching', 'verifying', 'done']);
    expect(seen).toContain('switch a1');
  });

  it.each(['stage a2 blog', 'hook a1 shop', 'hook a2 shop', 'commit forward'])(
    'aborts everywhere when "%s" fails',
    (key) => {
      const { state, seen } = drive(PLAN, [key]);
      expect(state.phase).toBe('aborted');
      expect(state.errors).toEqual([BOOM]);
      expect(seen.filter((it) => it.startsWith('abort'))).toHaveLength(4);
      expect(seen.some((it) => it.startsWith('switch'))).toBe(false);
    },
  );

  it('rolls back as one unit when verification fails', () => {
    const { phases, seen } = drive(PLAN, ['verify a2']);
    expect(phases.slice(-4)).toEqual(['reverting', 'switching-back', 'informing-back', 'rolled-back']);
    expect(seen.filter((it) => it === 'switch b1')).toHaveLength(2);
  });

  it('is taken back as one unit long after its end', () => {
    const at = startReverting(PLAN, BOOM);
    expect(at.effects).toEqual([{ key: 'commit back', do: 'commit', direction: 'back' }]);
    const back = reduce(at.state, { type: 'succeeded', key: 'commit back' });
    expect(back.effects.map((it) => it.key)).toEqual(['switch b1']);
    const told = ['switch b1', 'switch a1', 'switch a2'].reduce(
      (it, key) => reduce(it.state, { type: 'succeeded', key }),
      back,
    );
    expect(told.state).toMatchObject({ phase: 'rolled-back', errors: [BOOM] });
  });

  it('stands when the row cannot be written back, and is no success', () => {
    const { state, seen } = drive(PLAN, ['verify a2', 'commit back']);
    expect(state.phase).toBe('done');
    expect(state.errors).toHaveLength(2);
    expect(seen.filter((it) => it === 'switch b1')).toHaveLength(1);
  });

  it.each(['E_NODE_DISCONNECTED', 'E_DEADLINE'] as const)('does not go back when a node says nothing: %s', (code) => {
    let at = startRollout({ ...PLAN, appservers: ['a1'], balancers: [], apps: PLAN.apps.slice(1) });
    while (at.state.phase !== 'verifying') {
      for (const { key } of at.effects) at = reduce(at.state, { type: 'succeeded', key });
    }
    const { state } = reduce(at.state, { type: 'failed', key: 'verify a1', error: { ...BOOM, code } });
    expect(state).toMatchObject({ phase: 'done', errors: [{ code }] });
  });

  it('keeps going once committed when a node cannot be told', () => {
    expect(drive(PLAN, ['switch a1']).state).toMatchObject({ phase: 'done', errors: [BOOM] });
  });
});

const event = (transition: Transition): fc.Arbitrary<RolloutEvent> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .constantFrom(...transition.state.pending, 'nobody')
        .map((key) => ({ type: 'succeeded' as const, key })),
    },
    fc
      .constantFrom(...transition.state.pending, 'nobody')
      .map((key) => ({ type: 'failed' as const, key, error: BOOM })),
    fc.constant({ type: 'cancelled' as const, error: BOOM }),
  );

/** Feeds random reports until the end; returns the effects started, each with whether the commit had succeeded by then. */
function wander(pick: <T>(make: () => fc.Arbitrary<T>) => T) {
  let at = startRollout(PLAN);
  let committed = false;
  const started: { effect: Effect; committed: boolean }[] = [];
  for (let step = 0; step < 400 && !isFinal(at.state.phase); step++) {
    const next = pick(() => event(at));
    committed ||= next.type === 'succeeded' && next.key === 'commit forward' && at.state.phase === 'committing';
    at = reduce(at.state, next);
    for (const effect of at.effects) started.push({ effect, committed });
  }
  return { end: at.state.phase, committed, started };
}

describe('whatever is reported in whatever order', () => {
  it('never switches without a commit, never aborts after one', () => {
    fc.assert(
      fc.property(fc.gen(), (pick) => {
        const { end, committed, started } = wander((make) => pick(make));
        for (const it of started.filter(({ effect }) => effect.do === 'switch')) expect(it.committed).toBe(true);
        for (const it of started.filter(({ effect }) => effect.do === 'abort')) expect(it.committed).toBe(false);
        if (isFinal(end)) expect(end === 'aborted').toBe(!committed);
      }),
      { numRuns: 300 },
    );
  });

  it('final states ignore late reports', () => {
    const { state } = drive(PLAN);
    expect(reduce(state, { type: 'failed', key: 'verify a1', error: BOOM }).state).toBe(state);
  });
});
