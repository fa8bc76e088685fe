import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type AgentClient, connectAgent, healthBody, helloBody } from '../../../../../test/fakes/agent-client.ts';
import { type AgentServerFixture, agentServerFixture } from '../../../../../test/fakes/agent-server-fixture.ts';
import type { RequestOptions } from '../../ports.ts';

let fixture: AgentServerFixture;
beforeAll(async () => {
  fixture = await agentServerFixture({ badFrames: 5 });
});
afterAll(() => fixture.close());

const options = (changes: Partial<RequestOptions> = {}): RequestOptions => ({
  ...{ signal: new AbortController().signal, deadline: 5000 },
  ...changes,
});

describe('the first message', () => {
  const connected = async () => {
    const { node, agent } = await fixture.enrol();
    return { node, client: await connectAgent({ port: fixture.port, agent }) };
  };

  it('is hello, and makes the agent known', async () => {
    const { node, client } = await connected();
    expect(fixture.server.fleet.session(node.uuid)).toBeUndefined();
    const waiting = fixture.server.fleet.waitFor(node.uuid, options());
    client.hello({ epoch: 7 });
    const session = await waiting;
    expect(session).toMatchObject({ uuid: node.uuid, remoteAddress: '127.0.0.1', hello: { epoch: 7 } });
    expect(fixture.server.fleet.session(node.uuid)).toBe(session);
    await vi.waitFor(async () => {
      expect(await fixture.store.node(node.uuid)).toMatchObject({ facts: helloBody().facts });
    });
    client.send('health', healthBody({ load: 3 }));
    await vi.waitFor(() => expect(session.health).toMatchObject({ load: 3 }));
    client.close();
    await vi.waitFor(() => expect(fixture.server.fleet.session(node.uuid)).toBeUndefined());
  });

  it.each([
    ['health', healthBody()],
    ['result', {}],
  ])('must not be %s', async (type, body) => {
    const { client } = await connected();
    client.send(type, body);
    expect(await client.closed).toEqual({ code: 4408, reason: 'hello must come first' });
  });

  it('gets E_VERSION, with what is supported, from an agent of the future that says more', async () => {
    const { client } = await connected();
    const id = client.send('hello', { ...helloBody({ protocol: 99, minProtocol: 98 }), more: true });
    const answer = await client.next();
    expect(answer).toMatchObject({ type: 'error', re: id, body: { code: 'E_VERSION' } });
    expect(answer.body).toMatchObject({ message: expect.stringContaining('98 to 99') });
    expect((await client.closed).code).toBe(4426);
  });

  it('must come in time', async () => {
    const hasty = await agentServerFixture({ hello: 20 });
    const { agent } = await hasty.enrol();
    const client = await connectAgent({ port: hasty.port, agent });
    expect(await client.closed).toEqual({ code: 4408, reason: 'no hello in time' });
    await hasty.close();
  });
});

describe('requests', () => {
  it('get the parsed reply and the progress until then', async () => {
    const { client, node } = await fixture.agent();
    client.answer('switch', (body, { id }) => {
      client.send('progress', { stage: 'map', text: 'writing' }, id);
      client.send('progress', { stage: 'map', text: 'for another request' }, 'nobody');
      return { epoch: (body as { epoch: number }).epoch, at: 5 };
    });
    const progress: string[] = [];
    const onProgress = ({ text }: { text: string }) => progress.push(text);
    const body = { epoch: 3, active: { blog: 'blog.20260131_001' } };
    const reply = await fixture.server.fleet.request(node.uuid, 'switch', body, options({ onProgress }));
    expect(reply).toEqual({ epoch: 3, at: 5 });
    expect(progress).toEqual(['writing']);
    client.close();
  });

  it('get the coded error of the agent, with the node as the controller knows it', async () => {
    const { client, node } = await fixture.agent();
    const asked = fixture.server.fleet.request(node.uuid, 'retire', { reason: 'x' }, options());
    const { id } = await client.next();
    client.send('error', { code: 'E_DISK_FULL', message: 'full', node: 'liar', details: { log: ['a'] } }, id);
    await expect(asked).rejects.toMatchObject({ code: 'E_DISK_FULL', details: { node: node.name, log: ['a'] } });
    client.close();
  });

  it.each([
    ['a reply that does not fit', 'result', { epoch: 'three' }, 'E_FRAME'],
    ['an error that does not fit', 'error', { text: 'oops' }, 'E_FRAME'],
    ['an error of a code that is not known here', 'error', { code: 'E_FUTURE', message: 'm' }, 'E_INTERNAL'],
  ])('fail with a code for %s, and the session lives on', async (_name, type, reply, code) => {
    const { client, node } = await fixture.agent();
    const asked = fixture.server.fleet.request(node.uuid, 'switch', { epoch: 3, active: {} }, options());
    client.send(type, reply, (await client.next()).id);
    await expect(asked).rejects.toMatchObject({ code, details: { node: node.name } });
    expect(fixture.server.fleet.session(node.uuid)).toBeDefined();
    client.close();
  });

  it('tell the agent to stop when they are cancelled or late, and ignore what it still says', async () => {
    const { client, node } = await fixture.agent();
    const controller = new AbortController();
    const { fleet } = fixture.server;
    const cancelled = fleet.request(node.uuid, 'probe', {}, options({ signal: controller.signal }));
    const late = fleet.request(node.uuid, 'retire', { reason: 'x' }, options({ deadline: 10 }));
    const [first, second] = [await client.next(), await client.next()];
    await expect(late).rejects.toMatchObject({ code: 'E_DEADLINE', details: { node: node.name } });
    expect(await client.next()).toMatchObject({ type: 'cancel', re: second.id, body: {} });
    controller.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'E_ABORTED', details: { node: node.name } });
    expect(await client.next()).toMatchObject({ type: 'cancel', re: first.id });
    for (const { id } of [first, second]) client.send('result', {}, id);
    client.answer('retire', () => ({}));
    expect(await fleet.request(node.uuid, 'retire', { reason: 'y' }, options())).toEqual({});
    client.close();
  });

  it('are not sent at all when they are cancelled already', async () => {
    const { client, node } = await fixture.agent();
    const { fleet } = fixture.server;
    const aborted = fleet.request(node.uuid, 'probe', {}, options({ signal: AbortSignal.abort() }));
    await expect(aborted).rejects.toMatchObject({ code: 'E_ABORTED' });
    const asked = fleet.request(node.uuid, 'retire', { reason: 'x' }, options());
    expect(await client.next()).toMatchObject({ type: 'retire' });
    client.close();
    await expect(asked).rejects.toMatchObject({ code: 'E_NODE_DISCONNECTED', details: { node: node.name } });
    await expect(fleet.request(node.uuid, 'probe', {}, options())).rejects.toMatchObject({
      code: 'E_NODE_DISCONNECTED',
      details: { node: node.name },
    });
  });
});

describe('bad frames', () => {
  it.each([
    ['not JSON', 'hello', undefined, 'E_FRAME'],
    ['a thousand levels deep', '['.repeat(1000) + ']'.repeat(1000), undefined, 'E_FRAME'],
    ['a hundred thousand brackets', '['.repeat(100_000), undefined, 'E_FRAME'],
    ['of protocol 99', '{"v":99,"id":"b","type":"health","body":{}}', undefined, 'E_FRAME'],
    ['binary', Buffer.from('{"v":1,"id":"b","type":"health","body":{}}'), undefined, 'E_FRAME'],
    ['of an unknown type', '{"v":1,"id":"b","type":"nope","body":{}}', 'b', 'E_UNKNOWN_TYPE'],
    ['of type constructor', '{"v":1,"id":"b","type":"constructor","body":{}}', 'b', 'E_UNKNOWN_TYPE'],
    ['of type __proto__', '{"v":1,"id":"b","type":"__proto__","body":{}}', 'b', 'E_UNKNOWN_TYPE'],
    ['a request to the controller', '{"v":1,"id":"b","type":"switch","body":{}}', 'b', 'E_UNKNOWN_TYPE'],
    ['health that is none', '{"v":1,"id":"b","type":"health","body":{"load":"high"}}', 'b', 'E_FRAME'],
    ['a second hello', JSON.stringify({ v: 1, id: 'b', type: 'hello', body: helloBody() }), 'b', 'E_FRAME'],
  ])('that are %s get a coded error, and the session lives on', async (_name, frame, re, code) => {
    const { client, node } = await fixture.agent();
    client.socket.send(frame);
    const answer = await client.next();
    expect(answer).toMatchObject({ type: 'error', body: { code } });
    expect(answer.re).toBe(re);
    await expectAlive(client, node.uuid);
    client.close();
  });

  it.each([
    ['oversize', (client: AgentClient) => client.socket.send('x'.repeat((1 << 20) + 1)), 1009],
    ['not UTF-8', (client: AgentClient) => client.socket.send(Buffer.from([0xc3, 0x28]), { binary: false }), 1007],
    ['in too many fragments', (client: AgentClient) => sendFragments(client, 2000), 1008],
  ])('that are %s end their session with the code for it, and no other one', async (_name, send, code) => {
    const [bad, good] = [await fixture.agent(), await fixture.agent()];
    send(bad.client);
    expect((await bad.client.closed).code).toBe(code);
    await vi.waitFor(() => expect(fixture.server.fleet.session(bad.node.uuid)).toBeUndefined());
    await expectAlive(good.client, good.node.uuid);
    good.client.close();
  });

  it('end the session when there are too many', async () => {
    const { client } = await fixture.agent();
    for (let i = 0; i < 6; i++) client.socket.send('x');
    expect(await client.closed).toEqual({ code: 4400, reason: 'too many bad frames' });
  });
});

describe('the heartbeat', () => {
  it('pings, and ends a session that is silent', async () => {
    const quick = await agentServerFixture({ ping: 20, silence: 100 });
    const { client, node } = await quick.agent();
    await new Promise((resolve) => client.socket.once('ping', resolve));
    // The agent's process stops: nothing is read any more, and no pong sent.
    client.socket.pause();
    await vi.waitFor(() => expect(quick.server.fleet.session(node.uuid)).toBeUndefined());
    await quick.close();
  });

  it('ends a session that does not read what it is sent', async () => {
    const small = await agentServerFixture({ ping: 20, maxBuffered: 100_000 });
    const { client, node } = await small.agent();
    client.socket.pause();
    const big = { reason: 'x'.repeat(4 << 20) };
    const asked = [1, 2, 3, 4].map(() => small.server.fleet.request(node.uuid, 'retire', big, options()));
    const failed = await Promise.allSettled(asked);
    expect(failed.map((it) => it.status === 'rejected' && it.reason.code)).toEqual(
      Array(4).fill('E_NODE_DISCONNECTED'),
    );
    expect(failed[0]).toMatchObject({ reason: { message: expect.stringContaining('unread') } });
    await small.close();
  });
});

it('lets go of connections that never say what they want', async () => {
  const socket = connect(fixture.port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  const { client, node } = await fixture.agent();
  await expectAlive(client, node.uuid);
  client.close();
});

async function expectAlive(client: AgentClient, uuid: string): Promise<void> {
  client.answer('retire', () => ({}));
  expect(await fixture.server.fleet.request(uuid, 'retire', { reason: 'x' }, options())).toEqual({});
}

function sendFragments(client: AgentClient, count: number): void {
  for (let i = 0; i < count; i++) client.socket.send('x', { fin: i === count - 1 });
}
