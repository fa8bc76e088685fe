import { expect, it } from 'vitest';
import type { ListenAddress } from '../core/controller-address.ts';
import { listenOnce } from './listen.ts';

it('opens each address once, and none of a port that is open on all of them', async () => {
  const opened: ListenAddress[] = [];
  const listen = listenOnce(
    async (address) => opened.push(address),
    () => 7420,
  );
  const [own, one, all] = [
    { host: undefined, port: 7420 },
    { host: '192.0.2.1', port: 7500 },
    { host: undefined, port: 7501 },
  ];
  await Promise.all([own, one, one, all, { host: '192.0.2.1', port: 7501 }].map(listen));
  expect(opened).toEqual([one, all]);
});

it('tries again what could not be opened', async () => {
  let isTaken = true;
  const listen = listenOnce(
    async () => {
      if (isTaken) throw new Error('taken');
    },
    () => 7420,
  );
  await expect(listen({ host: undefined, port: 7500 })).rejects.toThrow('taken');
  isTaken = false;
  await listen({ host: undefined, port: 7500 });
});
