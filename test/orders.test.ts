/** Orders over real TLS: an agent that was given the controller's key obeys that controller, and nobody who only has its address. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Handlers } from '../packages/agent/src/ports.ts';
import { helloBody } from './fakes/agent-client.ts';
import { agentHandlers } from './fakes/agent-handlers.ts';
import { agentLink } from './fakes/agent-link.ts';
import { type AgentServerFixture, agentServerFixture } from './fakes/agent-server-fixture.ts';

let fixture: AgentServerFixture;
beforeAll(async () => {
  fixture = await agentServerFixture();
});
afterAll(() => fixture.close());

const limits = () => ({ signal: new AbortController().signal, deadline: 5_000 });
const ORDER = { epoch: 3, active: { blog: 'blog.20260131_001' } };

/** An agent that was given this key, and what it was asked to switch to. */
async function agentWith(orderKey: string | undefined, more: Partial<Handlers> = {}) {
  const { node, agent } = await fixture.enrol();
  const { link } = await agentLink(fixture, agent, orderKey === undefined ? {} : { orderKey });
  const switched: unknown[] = [];
  const handlers = agentHandlers({
    async switch(body) {
      switched.push(body);
      return { epoch: body.epoch, at: 0 };
    },
    ...more,
  });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  void link.session({
    handlers,
    signal: stop.signal,
    opened: async (session) => session.notify('hello', { ...helloBody(), trust: session.trust }),
  });
  const { hello } = await fixture.server.fleet.waitFor(node.uuid, limits());
  return { node, hello, switched, ask: () => fixture.server.fleet.request(node.uuid, 'switch', ORDER, limits()) };
}

describe('an agent that was given a key', () => {
  it('says so, and obeys orders that are signed with it', async () => {
    const { hello, switched, ask } = await agentWith(fixture.signingKey.publicPem);
    expect(hello.trust).toMatchObject({ key: fixture.signingKey.id });
    expect(await ask()).toEqual({ epoch: 3, at: 0 });
    expect(await ask()).toEqual({ epoch: 3, at: 0 });
    expect(switched).toEqual([ORDER, ORDER]);
  });

  it('refuses a controller that signs with another one, which hears why and on which node', async () => {
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const { node, switched, ask } = await agentWith(other);
    await expect(ask()).rejects.toMatchObject({ code: 'E_SIGNATURE', details: { node: node.name } });
    expect(switched).toEqual([]);
  });

  it('is asked at another session for another challenge', async () => {
    const { publicPem } = fixture.signingKey;
    const [one, two] = [await agentWith(publicPem), await agentWith(publicPem)];
    expect(one.hello.trust?.challenge).not.toBe(two.hello.trust?.challenge);
  });

  it('opens the bulk sockets of signed requests', async () => {
    const { node } = await agentWith(fixture.signingKey.publicPem, {
      async logs({ transfer }, { openTransfer }) {
        (await openTransfer(transfer)).end('lines');
        return {};
      },
    });
    const transfer = fixture.server.fleet.transfer(node.uuid, limits());
    const body = { transfer: transfer.id, lines: 1, follow: false };
    await Promise.all([fixture.server.fleet.request(node.uuid, 'logs', body, limits()), transfer.socket]);
  });
});

it('an agent that was given none asks for none', async () => {
  const { hello, switched, ask } = await agentWith(undefined);
  expect(hello.trust).toBeUndefined();
  await ask();
  expect(switched).toEqual([ORDER]);
});
