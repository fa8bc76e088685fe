import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectWithWideReads, giveBack } from '../packages/agent/src/io/wide-reads.ts';
import { BULK_FRAME } from '../packages/protocol/src/index.ts';
import { selfSigned } from './fakes/agent-identity.ts';

const RECORD = 16 << 10;
const SENT = randomBytes(5_000_001);
let server: Server;
/** What the server does with the next connection. */
let serve: (socket: TLSSocket) => void;
let ca: string;

beforeAll(async () => {
  const { keyPem, certPem } = await selfSigned('localhost');
  ca = certPem;
  server = createServer({ key: keyPem, cert: certPem, minVersion: 'TLSv1.3' }, (socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => server.close());
beforeEach(() => {
  serve = (socket) => socket.end(SENT);
});

afterEach(() => vi.useRealTimers());

const open = () => {
  const { port } = server.address() as AddressInfo;
  return connectWithWideReads({ host: '127.0.0.1', port, servername: 'localhost', ca });
};

describe('a connection that reads widely', () => {
  it('hands on all that was sent, in pieces that are larger than records', async () => {
    const socket = open();
    let pieces = 0;
    socket.on('data', () => pieces++);
    expect((await buffer(socket)).equals(SENT)).toBe(true);
    expect(pieces).toBeLessThan(SENT.length / RECORD / 2);
  });

  it('hands on a little at once, and what it is told back', async () => {
    serve = (socket) => socket.pipe(socket);
    const socket = open();
    for (const text of ['one', 'two', 'three']) {
      socket.write(text);
      expect(String((await once(socket, 'data'))[0])).toBe(text);
    }
    socket.end();
    expect(String(await buffer(socket))).toBe('');
  });

  it('gives up nothing that came right before the end', async () => {
    for (let i = 0; i < 20; i += 2) {
      const text = `${i}`.repeat(1 + i * 1000);
      serve = (socket) => socket.end(text);
      expect(String(await buffer(open()))).toBe(text);
    }
  });

  it('brings each frame whole in one place, with its head, and in memory that was given back', async () => {
    const [greeting, head] = [Buffer.alloc(100, 'greeting'), Buffer.alloc(10, 'head')];
    const frames = Array.from({ length: 8 }, (_, i) => Buffer.alloc(BULK_FRAME, `${i} silver`));
    serve = (socket) => {
      let sent = 0;
      const sendNext = () => {
        const frame = frames.at(sent++);
        if (frame === undefined) socket.end();
        else socket.write(head, () => socket.write(frame));
      };
      socket.on('data', sendNext);
      socket.write(greeting, sendNext);
    };
    const socket = open();
    const received: Buffer[] = [];
    const places: ArrayBufferLike[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received.push(Buffer.from(chunk));
      // However many reads a frame takes.
      if (places.at(-1) !== chunk.buffer) places.push(chunk.buffer);
      const bytes = received.reduce((sum, it) => sum + it.length, -greeting.length);
      if (bytes === 0 || bytes % (head.length + BULK_FRAME) > 0) continue;
      giveBack(Buffer.from(chunk.buffer, 0, BULK_FRAME));
      socket.write('next');
    }
    const sent = [greeting, ...frames.flatMap((it) => [head, it])];
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
    expect(places).toHaveLength(1 + frames.length);
    // The one of the greeting was not given back, and Node asks where to read next before it hands on what it read.
    expect(new Set(places).size).toBe(3);
  });

  describe('of a frame that comes in parts', () => {
    const head = Buffer.alloc(10);
    head.set([0x82, 127]);
    head.writeBigUInt64BE(BigInt(BULK_FRAME), 2);
    const content = SENT.subarray(0, BULK_FRAME);
    const half = content.length / 2;

    it('hands on the whole', async () => {
      // However long this machine takes.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      serve = (socket) => {
        socket.write('greeting', () => {
          socket.write(head, () => socket.write(content.subarray(0, half)));
        });
        socket.once('data', () => socket.end(content.subarray(half)));
      };
      const socket = open();
      const received: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => received.push(chunk));
      await once(socket, 'data');
      await setTimeout(30);
      socket.write('go on');
      await once(socket, 'end');
      expect(received.map((it) => it.length)).toEqual([8, head.length + content.length]);
      expect(received.at(-1)?.subarray(head.length).equals(content)).toBe(true);
    });

    it('hands on what there is, where the rest does not come', async () => {
      serve = (socket) =>
        socket.write('greeting', () => socket.write(head, () => socket.write(content.subarray(0, half))));
      const socket = open();
      let bytes = 0;
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes === 8 + head.length + half) break;
      }
      expect(socket.destroyed).toBe(true);
    });
  });

  it('reads no more than is wanted', async () => {
    const sent = new Promise<TLSSocket>((resolve) => {
      serve = resolve;
    });
    const socket = open();
    const peer = await sent;
    let taken = 0;
    const feed = () => {
      while (taken < 64 << 20 && peer.write(SENT)) taken += SENT.length;
    };
    peer.on('drain', feed);
    feed();
    socket.read(0);
    for (let before = -1; before < taken; await setTimeout(50)) before = taken;
    expect(socket.readableLength).toBeLessThan(2 * BULK_FRAME);
    expect(taken).toBeLessThan(64 << 20);
    const closed = new Promise((resolve) => peer.once('close', resolve));
    socket.destroy();
    await closed;
  });

  it('ends with the error of a connection that broke', async () => {
    serve = (socket) => socket.write(SENT.subarray(0, RECORD), () => socket.destroy());
    const socket = open();
    socket.on('data', () => socket.destroy(new Error('not wanted any more')));
    await expect(buffer(socket)).rejects.toThrow('not wanted any more');
  });
});
