import { describe, expect, it } from 'vitest';
import { Flow } from './flow.ts';
import { type FragmentSocket, Outbox } from './outbox.ts';

/** A socket that takes one write at a time, when told to. */
class SlowSocket implements FragmentSocket {
  readonly messages: string[] = [];
  readonly sizes: number[] = [];
  #text = Buffer.alloc(0);
  #pending: (() => void)[] = [];

  send(data: Buffer, { fin }: { fin: boolean }, done: (error?: Error) => void): void {
    this.sizes.push(data.length);
    this.#text = Buffer.concat([this.#text, data]);
    if (fin) {
      this.messages.push(this.#text.toString());
      this.#text = Buffer.alloc(0);
    }
    this.#pending.push(done);
  }

  /** Ends every write, and those that follow from it. */
  drain(): void {
    for (let done = this.#pending.shift(); done !== undefined; done = this.#pending.shift()) done();
  }
}

describe('frames to an agent', () => {
  it('arrive whole and in their order, and no write is large enough for TLS to keep a buffer for it', () => {
    const socket = new SlowSocket();
    const outbox = new Outbox(socket, new Flow());
    const frames = ['small', 'ü'.repeat(40_000), 'next', 'x'.repeat(32_000), 'last'];
    for (const frame of frames) outbox.send(frame);
    socket.drain();
    expect(socket.messages).toEqual(frames);
    expect(Math.max(...socket.sizes)).toBeLessThan(16_384 - 10);
  });

  it('are written one at a time, and counted until the system has them', () => {
    const socket = new SlowSocket();
    const outbox = new Outbox(socket, new Flow());
    outbox.send('x'.repeat(40_000));
    outbox.send('y'.repeat(1_000));
    expect(socket.sizes).toEqual([8_000]);
    expect(outbox.waiting).toBe(41_000);
    socket.drain();
    expect(outbox.waiting).toBe(0);
  });

  it('hold up others no more once their connection ended', async () => {
    const socket = new SlowSocket();
    const flow = new Flow(1_000);
    const outbox = new Outbox(socket, flow);
    outbox.send('x'.repeat(40_000));
    const turn = flow.turn();
    outbox.drop();
    socket.drain();
    await turn;
    expect(outbox.waiting).toBe(0);
    expect(socket.sizes).toEqual([8_000]);
  });
});
