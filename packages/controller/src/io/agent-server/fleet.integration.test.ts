import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type ConnectionOptions, connect } from 'node:tls';
import { BULK_FRAME } from '@silverlining/protocol';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ClientOptions } from 'ws';
import { connectAgent, openTransfer } from '../../../../../test/fakes/agent-client.ts';
import { type AgentServerFixture, agentServerFixture } from '../../../../../test/fakes/agent-server-fixture.ts';
import type { Limits } from './limit.ts';

let fixture: AgentServerFixture;
beforeAll(async () => {
  fixture = await agentServerFixture();
});
afterAll(() => fixture.close());

const limits = (changes: Partial<Limits> = {}): Limits => ({
  ...{ signal: new AbortController().signal, deadline: 5000 },
  ...changes,
});

describe('connections of one node', () => {
  it('replace each other, and the older one counts no more', async () => {
    const { client, node, address } = await fixture.agent();
    const { fleet } = fixture.server;
    const asked = Promise.allSettled([fleet.request(node.uuid, 'probe', {}, limits())]);
    const since = fleet.session(node.uuid)?.connectedAt ?? 0;
    const waiting = fleet.waitFor(node.uuid, { ...limits(), after: since });
    const newer = await connectAgent(address);
    expect(await asked).toMatchObject([{ reason: { code: 'E_NODE_DISCONNECTED', details: { node: node.name } } }]);
    expect(await client.closed).toEqual({ code: 4409, reason: 'the agent opened a newer connection' });
    newer.hello({ epoch: 5 });
    expect(await waiting).toMatchObject({ hello: { epoch: 5 } });
    expect(fleet.session(node.uuid)).toMatchObject({ hello: { epoch: 5 } });
    newer.close();
  });

  it('are held back, all of them, when two agents have the identity', async () => {
    const wary = await agentServerFixture({ replacements: 2 });
    const { client, node, address } = await wary.agent();
    const clients = [client];
    for (let i = 0; i < 3; i++) clients.push(await connectAgent(address));
    for (const it of clients) expect((await it.closed).code).toBe(4409);
    const refused = connectAgent(address);
    await expect(refused).rejects.toMatchObject({ status: 409, error: { code: 'E_CONFLICT' } });
    await expect(refused).rejects.toMatchObject({ headers: { 'retry-after': '60' } });
    expect(wary.logged).toContainEqual(expect.objectContaining({ alarm: 'identity', node: node.name, level: 50 }));
    const other = await wary.agent();
    other.client.close();
    // What sl up does: the right one comes in at once, the copy never again.
    const again = await wary.enrol({ uuid: node.uuid, certGeneration: node.certGeneration + 1 });
    (await connectAgent({ ...address, agent: again.agent })).close();
    await expect(connectAgent(address)).rejects.toMatchObject({ status: 401 });
    await wary.close();
  });

  it('end when the identity is revoked, bulk sockets included', async () => {
    const { client, node, address } = await fixture.agent();
    const transfer = fixture.server.fleet.transfer(node.uuid, limits());
    const ours = openTransfer(address, transfer.id);
    const stream = await transfer.socket;
    (await ours).resume();
    const pending = fixture.server.fleet.transfer(node.uuid, limits());
    await fixture.store.putNode({ ...node, state: 'created' });
    fixture.server.fleet.disconnect(node.uuid, 'the node left its set');
    expect(fixture.server.fleet.session(node.uuid)).toBeUndefined();
    expect(await client.closed).toEqual({ code: 4401, reason: 'the node left its set' });
    await expect(pending.socket).rejects.toMatchObject({ code: 'E_NODE_DISCONNECTED' });
    expect(await buffer(stream)).toHaveLength(0);
    await expect(connectAgent(address)).rejects.toMatchObject({ status: 401 });
  });
});

describe('waitFor', () => {
  it('ends at its deadline or when it is cancelled, and names the node', async () => {
    const { node } = await fixture.enrol();
    const { fleet } = fixture.server;
    const named = { details: { node: node.name } };
    await expect(fleet.waitFor(node.uuid, limits({ deadline: 5 }))).rejects.toMatchObject({
      code: 'E_DEADLINE',
      ...named,
    });
    const signal = AbortSignal.abort();
    await expect(fleet.waitFor(node.uuid, limits({ signal }))).rejects.toMatchObject({ code: 'E_ABORTED', ...named });
  });

  it('survives a listener for hello that throws', async () => {
    fixture.server.fleet.onHello(() => {
      throw new Error('defect in a listener');
    });
    const { client, node } = await fixture.agent();
    expect(fixture.server.fleet.session(node.uuid)).toBeDefined();
    client.close();
  });
});

describe('admission', () => {
  it('turns connections away when too many come at once', async () => {
    const narrow = await agentServerFixture({ connectionsPerSecond: 1 });
    const { agent } = await narrow.enrol();
    const address = { port: narrow.port, agent };
    const results = await Promise.allSettled([connectAgent(address), connectAgent(address), connectAgent(address)]);
    const refused = results.filter((it) => it.status === 'rejected').map((it) => it.reason);
    expect(refused.length).toBeGreaterThan(0);
    for (const it of refused) expect(it).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    await narrow.close();
  });
});

describe('transfers', () => {
  it('carry bytes both ways, once', async () => {
    const { client, node, address } = await fixture.agent();
    const transfer = fixture.server.fleet.transfer(node.uuid, limits());
    const sent = Buffer.alloc(3 << 20, 'silver');
    const theirs = await openTransfer(address, transfer.id);
    const ours = await transfer.socket;
    theirs.write('need all');
    expect(String(await new Promise((resolve) => ours.once('data', resolve)))).toBe('need all');
    const received = buffer(theirs);
    await pipeline([sent], ours);
    expect((await received).equals(sent)).toBe(true);
    await expect(openTransfer(address, transfer.id)).rejects.toMatchObject({ status: 404 });
    client.close();
  });

  it('bring the head of each frame as a TLS record of its own', async () => {
    const { client, node, address } = await fixture.agent();
    const transfer = fixture.server.fleet.transfer(node.uuid, limits());
    const records: number[] = [];
    const createConnection = (options: ConnectionOptions) => {
      const socket = connect({ ...options, path: undefined });
      // Node hands on each record by itself.
      const push = socket.push.bind(socket);
      socket.push = (record: Buffer | null) => {
        records.push(record?.length ?? 0);
        return push(record);
      };
      return socket;
    };
    const theirs = await openTransfer(address, transfer.id, {
      createConnection: createConnection as ClientOptions['createConnection'],
    });
    const received = buffer(theirs);
    const frames = Array.from({ length: 5 }, () => Buffer.alloc(BULK_FRAME));
    await pipeline(frames, await transfer.socket);
    expect((await received).length).toBe(5 * BULK_FRAME);
    const ofFrame = [10, ...Array.from({ length: 64 }, () => BULK_FRAME / 64)];
    expect(records.slice(1, 1 + 5 * ofFrame.length)).toEqual(frames.flatMap(() => ofFrame));
    client.close();
  });

  it('do not run ahead of a slow reader', async () => {
    const { client, node, address } = await fixture.agent();
    const transfer = fixture.server.fleet.transfer(node.uuid, limits());
    const theirs = await openTransfer(address, transfer.id);
    const ours = await transfer.socket;
    let written = 0;
    const limit = 256 << 20;
    const chunk = Buffer.alloc(1 << 20);
    const write = () => {
      while (written < limit) {
        written += chunk.length;
        if (!ours.write(chunk)) break;
      }
    };
    ours.on('drain', write);
    write();
    // Control goes on beside it, and meanwhile the writer comes to a stop.
    client.answer('retire', () => ({}));
    for (let before = -1; before !== written; ) {
      before = written;
      for (let i = 0; i < 30; i++) await fixture.server.fleet.request(node.uuid, 'retire', { reason: 'x' }, limits());
    }
    expect(written).toBeLessThan(limit / 4);
    theirs.destroy();
    transfer.close();
    client.close();
  });

  it('end what is written to them when they are given up at that moment', async () => {
    const { client, node, address } = await fixture.agent();
    const transfer = fixture.server.fleet.transfer(node.uuid, limits());
    const theirs = await openTransfer(address, transfer.id);
    const ours = await transfer.socket;
    // An end that does not read leaves the close unanswered, and the writer waiting for it.
    theirs.pause();
    const sent = pipeline([Buffer.alloc(1 << 20)], ours);
    while (!ours.writableEnded) await new Promise((resolve) => setImmediate(resolve));
    transfer.close();
    await Promise.allSettled([sent]);
    expect(ours.destroyed).toBe(true);
    theirs.destroy();
    client.close();
  });

  it('are open to the node that they were made for alone', async () => {
    const [mine, other] = [await fixture.agent(), await fixture.agent()];
    const transfer = fixture.server.fleet.transfer(mine.node.uuid, limits());
    const stolen = openTransfer(other.address, transfer.id);
    await expect(stolen).rejects.toMatchObject({ status: 403, error: { code: 'E_IDENTITY' } });
    const theirs = await openTransfer(mine.address, transfer.id);
    const ours = await transfer.socket;
    theirs.end('mine');
    expect(String(await buffer(ours))).toBe('mine');
    mine.client.close();
    other.client.close();
  });

  it('fail when nobody opens them, when they are given up, and with their node', async () => {
    const { client, node, address } = await fixture.agent();
    const { fleet } = fixture.server;
    const controller = new AbortController();
    const late = fleet.transfer(node.uuid, limits({ deadline: 5 }));
    const cancelled = fleet.transfer(node.uuid, limits({ signal: controller.signal }));
    const closed = fleet.transfer(node.uuid, limits());
    const left = fleet.transfer(node.uuid, limits());
    controller.abort();
    closed.close();
    await expect(late.socket).rejects.toMatchObject({ code: 'E_DEADLINE', details: { node: node.name } });
    await expect(cancelled.socket).rejects.toMatchObject({ code: 'E_ABORTED' });
    await expect(closed.socket).rejects.toMatchObject({ code: 'E_ABORTED' });
    await expect(openTransfer(address, closed.id)).rejects.toMatchObject({ status: 404 });
    client.close();
    await expect(left.socket).rejects.toMatchObject({ code: 'E_NODE_DISCONNECTED', details: { node: node.name } });
    await vi.waitFor(() => expect(fleet.session(node.uuid)).toBeUndefined());
    const without = fleet.transfer(node.uuid, limits());
    await expect(without.socket).rejects.toMatchObject({ code: 'E_NODE_DISCONNECTED', details: { node: node.name } });
  });
});

describe('listening', () => {
  it('takes the first free port of those that are meant for it', async () => {
    const [first, second] = [await agentServerFixture({}, {}), await agentServerFixture({}, {})];
    expect(first.port).toBeGreaterThanOrEqual(7420);
    expect(second.port).toBeGreaterThan(first.port);
    const { agent } = await second.enrol();
    const client = await connectAgent({ port: second.port, agent });
    client.close();
    await first.close();
    await second.close();
  });

  it('says which port cannot be had', async () => {
    const again = agentServerFixture({}, { port: fixture.port, host: '127.0.0.1' });
    await expect(again).rejects.toMatchObject({
      code: 'E_CONTROLLER',
      message: expect.stringContaining(`${fixture.port}`),
    });
  });
});
