import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { connectAgent } from '../../../../../test/fakes/agent-client.ts';
import { agentServerFixture } from '../../../../../test/fakes/agent-server-fixture.ts';
import { Room } from './room.ts';

describe('the room of a server', () => {
  it('grows with those that are let in, so that strangers never take their places', () => {
    const server = { maxConnections: 0 };
    const room = new Room(server, { strangers: 3, most: 5 });
    expect(server.maxConnections).toBe(3);
    const sockets = Array.from({ length: 4 }, () => new PassThrough());
    const sizes = sockets.map((it) => {
      room.letIn(it);
      return server.maxConnections;
    });
    expect(sizes).toEqual([4, 5, 5, 5]);
    for (const it of sockets.slice(1)) it.emit('close');
    expect(server.maxConnections).toBe(4);
  });

  it('turns away whoever comes when too many strangers are there, and takes agents again when they have gone', async () => {
    const fixture = await agentServerFixture({ strangers: 1 });
    const one = await fixture.agent();
    const two = await fixture.agent();
    const stranger = connectAgent({ port: fixture.port, caPem: fixture.certificates.caPem }, '/nowhere');
    await expect(stranger).rejects.toMatchObject({ status: 401 });
    const three = await fixture.agent();
    for (const { client } of [one, two, three]) client.close();
    await fixture.close();
  });

  it('holds no more than the process may have open', async () => {
    const fixture = await agentServerFixture({}, undefined, { openFiles: 257 });
    const { client } = await fixture.agent();
    const { agent } = await fixture.enrol();
    await expect(connectAgent({ port: fixture.port, agent })).rejects.toMatchObject({ code: 'ECONNRESET' });
    client.close();
    await fixture.close();
  });
});
