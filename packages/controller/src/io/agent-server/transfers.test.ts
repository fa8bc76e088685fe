import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Transfers } from './transfers.ts';

const signal = new AbortController().signal;
const gone = { code: 'E_NODE_DISCONNECTED' };

let server: WebSocketServer;
beforeEach(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
});

/** A transfer to a node that takes nothing. */
async function begin() {
  const transfers = new Transfers({ token: () => 'id' });
  const { socket } = transfers.expect({ uuid: 'app1', name: 'app1' }, { signal, deadline: 5_000 });
  const closed = new Promise((resolve) => {
    server.on('connection', (it) => {
      const claimed = transfers.claim('id', 'app1');
      if (typeof claimed === 'function') claimed(it);
      it.on('close', resolve);
    });
  });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(client, 'open');
  client.pause();
  return { client, closed, stream: await socket };
}

it('fails when the other end is gone before it took what was written', async () => {
  const { client, stream } = await begin();
  const written = pipeline(Readable.from([Buffer.from('all of it')]), stream);
  await new Promise((resolve) => setImmediate(resolve));
  expect(stream.writableEnded).toBe(true);
  client.terminate();
  await expect(written).rejects.toMatchObject(gone);
});

it('fails when the other end is gone before it was told that this was all', async () => {
  const { client, closed, stream } = await begin();
  const taken = finished(stream, { readable: false });
  client.terminate();
  await closed;
  stream.end();
  await expect(taken).rejects.toMatchObject(gone);
});
