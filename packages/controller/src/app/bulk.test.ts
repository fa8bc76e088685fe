import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { withTransfer } from './bulk.ts';

const limits = { signal: new AbortController().signal, deadline: 300_000 };

it('feeds some sockets at a time, and waits for no answer before it feeds the next', async () => {
  let opened = 0;
  const feeds: (() => void)[] = [];
  const answers: ((text: string) => void)[] = [];
  const transfer = () => {
    opened++;
    return { id: String(opened), socket: Promise.resolve(new Writable() as never), close: () => undefined };
  };
  const all = Array.from({ length: 100 }, (_, i) =>
    withTransfer({ fleet: { transfer } as never }, `app${i}`, limits, {
      request: () => new Promise<string>((resolve) => answers.push(resolve)),
      send: () => new Promise<void>((resolve) => feeds.push(resolve)),
    }),
  );
  await setImmediate();
  expect(opened).toBe(64);
  for (const done of feeds.splice(0, 30)) done();
  await setImmediate();
  expect(opened).toBe(94);
  for (const done of feeds.splice(0)) done();
  await setImmediate();
  expect(opened).toBe(100);
  for (const done of feeds.splice(0)) done();
  for (const [i, answer] of answers.entries()) answer(`answer ${i}`);
  expect((await Promise.all(all)).at(-1)).toBe('answer 99');
});

it('waits for a socket as long as for the answer: the agent may have other work before', async () => {
  const asked: unknown[] = [];
  const transfer = (...args: unknown[]) => {
    asked.push(args);
    return { id: 'it', socket: Promise.resolve(new Writable() as never), close: () => undefined };
  };
  const work = { request: async () => 'answer', send: async () => undefined };
  await withTransfer({ fleet: { transfer } as never }, 'app1', limits, work);
  expect(asked).toEqual([['app1', limits]]);
});
