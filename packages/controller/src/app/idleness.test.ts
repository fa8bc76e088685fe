import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { memoryStore } from '../../../../test/fakes/memory-store.ts';
import { serverSet } from '../io/store/contract-records.ts';
import { ASKED_GRACE, createIdleness, GRACE, type Idleness } from './idleness.ts';

let clock: ManualClock;
let store: ReturnType<typeof memoryStore>;
let ended: number;
let idleness: Idleness;

beforeEach(() => {
  clock = new ManualClock();
  store = memoryStore();
  ended = 0;
  const { signal } = new AbortController();
  idleness = createIdleness({ store, clock, signal, onIdle: () => void ended++ });
});

describe('a controller', () => {
  it('ends a moment after the last set is gone', async () => {
    idleness.watch();
    await clock.advance(GRACE - 1);
    expect(ended).toBe(0);
    await clock.advance(1);
    expect(ended).toBe(1);
  });

  it('stays while there is a set', async () => {
    await store.putSet('demo', serverSet('demo'));
    idleness.watch();
    await clock.advance(GRACE + ASKED_GRACE);
    expect(ended).toBe(0);
  });

  it('waits for who asked in the meantime, and ends when nothing more comes', async () => {
    idleness.watch();
    idleness.asked();
    await clock.advance(GRACE);
    expect(ended).toBe(0);
    await clock.advance(ASKED_GRACE);
    expect(ended).toBe(1);
  });

  it('does not end under an operation that has no set yet', async () => {
    let finish = () => {};
    idleness.watch();
    const operation = idleness.during(() => new Promise<void>((resolve) => (finish = resolve)));
    await clock.advance(GRACE);
    await clock.advance(ASKED_GRACE);
    expect(ended).toBe(0);
    finish();
    await operation;
    await clock.advance(ASKED_GRACE);
    expect(ended).toBe(1);
  });
});
