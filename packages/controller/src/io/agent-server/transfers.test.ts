import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Transfers } from './transfers.ts';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
const signal = new AbortController().signal;

afterEach(() => {
  server.close();
});

it('fails when the other end is gone before it took what was written', async () => {
  const transfers = new Transfers({ token: () => 'id' });
  const { socket } = transfers.expect({ uuid: 'app1', name: 'app1' }, { signal, deadline: 5_000 });
  server.on('connection', (it) => {
    const claimed = transfers.claim('id', 'app1');
    if (typeof claimed === 'function') claimed(it);
  });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(client, 'open');
  client.pause();
  const stream = await socket;
  const written = pipeline(Readable.from([Buffer.from('all of it')]), stream);
  await new Promise((resolve) => setImmediate(resolve));
  expect(stream.writableEnded).toBe(true);
  client.terminate();
  await expect(written).rejects.toMatchObject({ code: 'E_NODE_DISCONNECTED' });
});
