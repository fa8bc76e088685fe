import { PassThrough, Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../test/fakes/manual-clock.ts';
import { AT_ONCE, readTransfer, STUCK, withTransfer } from './bulk.ts';

const clock = new ManualClock();
const limits = { signal: new AbortController().signal, deadline: 300_000 };

it('feeds some sockets at a time, and waits for no answer before it feeds the next', async () => {
  let opened = 0;
  const feeds: (() => void)[] = [];
  const answers: ((text: string) => void)[] = [];
  const transfer = () => {
    opened++;
    return { id: String(opened), socket: Promise.resolve(new Writable() as never), close: () => undefined };
  };
  const all = Array.from({ length: AT_ONCE + 36 }, (_, i) =>
    withTransfer({ fleet: { transfer } as never, clock }, `app${i}`, limits, {
      request: () => new Promise<string>((resolve) => answers.push(resolve)),
      send: () => new Promise<void>((resolve) => feeds.push(resolve)),
    }),
  );
  await setImmediate();
  expect(opened).toBe(AT_ONCE);
  for (const done of feeds.splice(0, 30)) done();
  await setImmediate();
  expect(opened).toBe(AT_ONCE + 30);
  for (const done of feeds.splice(0)) done();
  await setImmediate();
  expect(opened).toBe(AT_ONCE + 36);
  for (const done of feeds.splice(0)) done();
  for (const [i, answer] of answers.entries()) answer(`answer ${i}`);
  expect((await Promise.all(all)).at(-1)).toBe(`answer ${AT_ONCE + 35}`);
});

it('waits for a socket as long as for the answer: the agent may have other work before', async () => {
  const asked: unknown[] = [];
  const transfer = (...args: unknown[]) => {
    asked.push(args);
    return { id: 'it', socket: Promise.resolve(new Writable() as never), close: () => undefined };
  };
  const work = { request: async () => 'answer', send: async () => undefined };
  await withTransfer({ fleet: { transfer } as never, clock }, 'app1', limits, work);
  expect(asked).toEqual([['app1', limits]]);
});

describe('what is read from a node', () => {
  const full = new SlError('E_DISK_FULL', 'there is no room to take it');
  const gone = new SlError('E_NODE_DISCONNECTED', 'the bulk socket broke');
  const readFrom = (request: Promise<void>, close: () => void = () => undefined) => {
    const transfer = () => ({ id: 'it', socket: Promise.resolve(new PassThrough()), close });
    const work = { request: () => request, read: () => Promise.reject(full) };
    return readTransfer({ fleet: { transfer } as never }, 'app1', limits, work);
  };

  it('ends when it cannot be taken here, and that is what is said', async () => {
    let close: () => void = () => undefined;
    // A node that follows its journal sends until its socket is closed.
    const request = new Promise<void>((_, reject) => {
      close = () => reject(gone);
    });
    await expect(readFrom(request, () => close())).rejects.toBe(full);
  });

  it('fails with what the node says where that comes first', async () => {
    await expect(readFrom(Promise.reject(gone))).rejects.toBe(gone);
  });
});

describe('while as many nodes as are fed at once take nothing', () => {
  /** Of one node more, how many were let in. */
  function begin(socketOf: () => Promise<Writable>) {
    let opened = 0;
    const transfer = () => {
      opened++;
      return { id: '', socket: socketOf(), close: () => undefined };
    };
    const moves: (() => void)[] = [];
    const ends: (() => void)[] = [];
    const all = Array.from({ length: AT_ONCE + 1 }, (_, i) =>
      withTransfer({ fleet: { transfer } as never, clock }, `app${i}`, limits, {
        request: async () => 'answer',
        send: (_socket, moved) => {
          moves.push(moved);
          return new Promise<void>((resolve) => ends.push(resolve));
        },
      }),
    );
    const end = async () => {
      for (let i = 0; i < 2; i++, await setImmediate()) for (const it of ends.splice(0)) it();
      await Promise.all(all);
    };
    return { opened: () => opened, moves, end };
  }

  it('others get their turn after a while, and what hangs goes on when it can', async () => {
    const { opened, moves, end } = begin(async () => new Writable());
    await setImmediate();
    for (const moved of moves) moved();
    await clock.advance(STUCK);
    for (const moved of moves) moved();
    await clock.advance(STUCK);
    expect(opened()).toBe(AT_ONCE);
    await clock.advance(STUCK);
    expect(opened()).toBe(AT_ONCE + 1);
    await end();
  });

  it('nor is a socket waited for that nobody opens', async () => {
    let come: ((socket: Writable) => void) | undefined;
    const socket = new Promise<Writable>((resolve) => (come = resolve));
    const { opened, end } = begin(() => socket);
    await clock.advance(STUCK);
    await clock.advance(STUCK);
    expect(opened()).toBe(AT_ONCE + 1);
    come?.(new Writable());
    await setImmediate();
    await end();
  });
});
