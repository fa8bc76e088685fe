/** The two ends of the control socket together: the agent's link against the controller's server, over real TLS. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { giveBack } from '../packages/agent/src/io/wide-reads.ts';
import type { Handlers, SessionEnd } from '../packages/agent/src/ports.ts';
import { helloBody } from './fakes/agent-client.ts';
import { agentHandlers } from './fakes/agent-handlers.ts';
import type { AgentIdentity } from './fakes/agent-identity.ts';
import { type AgentLinkOptions, agentLink } from './fakes/agent-link.ts';
import { type AgentServerFixture, agentServerFixture } from './fakes/agent-server-fixture.ts';

const DAY = 86_400_000;
let fixture: AgentServerFixture;
beforeAll(async () => {
  fixture = await agentServerFixture();
});
afterAll(() => fixture.close());

const limits = () => ({ signal: new AbortController().signal, deadline: 5_000 });

const linkOf = (agent: AgentIdentity, more: AgentLinkOptions = {}) => agentLink(fixture, agent, more);

/** A session that has said hello. */
async function sessionOf(given: Partial<Handlers>) {
  const { node, agent } = await fixture.enrol();
  const { link } = await linkOf(agent);
  const stop = new AbortController();
  const ended = link.session({
    handlers: agentHandlers(given),
    opened: async (session) => session.notify('hello', helloBody()),
    signal: stop.signal,
  });
  await fixture.server.fleet.waitFor(node.uuid, limits());
  onTestFinished(() => stop.abort());
  return { node, ended, stop };
}

async function endOf(agent: AgentIdentity, more?: AgentLinkOptions): Promise<SessionEnd> {
  const { link } = await linkOf(agent, more);
  const opened = async () => undefined;
  return link.session({ handlers: agentHandlers(), opened, signal: limits().signal });
}

it('answers requests with results, progress and coded errors', async () => {
  const { node } = await sessionOf({
    async retire({ reason }, { progress }) {
      progress({ stage: 'retire', text: reason });
      return {};
    },
  });
  const seen: string[] = [];
  const options = { ...limits(), onProgress: ({ text }: { text: string }) => seen.push(text) };
  expect(await fixture.server.fleet.request(node.uuid, 'retire', { reason: 'replaced' }, options)).toEqual({});
  expect(seen).toEqual(['replaced']);
  const refused = fixture.server.fleet.request(node.uuid, 'probe', {}, limits());
  await expect(refused).rejects.toMatchObject({ code: 'E_INTERNAL', message: expect.stringContaining('not part') });
});

it('says of an answer that is too large in bytes that it is, and stays', async () => {
  let calls = 0;
  const { node } = await sessionOf({
    async retire() {
      if (++calls === 1) throw new SlError('E_CONFLICT', 'é'.repeat(600_000));
      return {};
    },
  });
  const retire = () => fixture.server.fleet.request(node.uuid, 'retire', { reason: '' }, limits());
  await expect(retire()).rejects.toMatchObject({ code: 'E_INTERNAL', message: expect.stringContaining('too large') });
  expect(await retire()).toEqual({});
});

it('aborts the handler of a request that the controller cancels', async () => {
  const started = deferred<void>();
  const aborted = deferred<void>();
  const { node } = await sessionOf({
    retire: (_body, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          aborted.resolve();
          resolve({});
        });
        started.resolve();
      }),
  });
  const cancel = new AbortController();
  const asked = fixture.server.fleet.request(
    node.uuid,
    'retire',
    { reason: '' },
    { ...limits(), signal: cancel.signal },
  );
  await started.promise;
  cancel.abort();
  await expect(asked).rejects.toMatchObject({ code: 'E_ABORTED' });
  await aborted.promise;
});

it('brings bulk over a socket of its own', async () => {
  const sent = Buffer.alloc(1 << 20, 'silver');
  const received = deferred<Buffer>();
  const { node } = await sessionOf({
    async 'update-agent'({ transfer }, { openTransfer }) {
      received.resolve(await buffer(await openTransfer(transfer)));
      return {};
    },
  });
  const transfer = fixture.server.fleet.transfer(node.uuid, limits());
  const body = { transfer: transfer.id, digest: 'a'.repeat(64) };
  const asked = fixture.server.fleet.request(node.uuid, 'update-agent', body, limits());
  (await transfer.socket).end(sent);
  expect((await received.promise).equals(sent)).toBe(true);
  await asked;
});

it('loses nothing of large frames whose memory is given back', async () => {
  const frames = Array.from({ length: 16 }, () => randomBytes(256 << 10));
  const received: Buffer[] = [];
  const { node } = await sessionOf({
    async 'update-agent'({ transfer }, { openTransfer }) {
      for await (const content of await openTransfer(transfer)) {
        await setImmediate();
        received.push(Buffer.from(content));
        giveBack(content);
      }
      return {};
    },
  });
  const transfer = fixture.server.fleet.transfer(node.uuid, limits());
  const body = { transfer: transfer.id, digest: 'a'.repeat(64) };
  const asked = fixture.server.fleet.request(node.uuid, 'update-agent', body, limits());
  await pipeline(frames, await transfer.socket);
  await asked;
  expect(Buffer.concat(received).equals(Buffer.concat(frames))).toBe(true);
});

it('ends when it is told to, and aborts what runs', async () => {
  const { ended, stop } = await sessionOf({});
  stop.abort();
  expect(await ended).toEqual({ kind: 'closed', reason: 'the agent stops' });
});

it('renews an expired certificate and is let in again', async () => {
  const past = await fixture.otherAuthority('ca', () => Date.now() - 30 * DAY);
  const { agent } = await fixture.enrol();
  const expired = await expiredCertificate(past, agent);
  const { link, paths } = await linkOf({ ...agent, certPem: expired });
  const opened = deferred<void>();
  const stop = new AbortController();
  const session = () =>
    link.session({ handlers: agentHandlers(), opened: async () => opened.resolve(), signal: stop.signal });
  expect(await session()).toMatchObject({ kind: 'refused', renewable: true });
  await link.renew(stop.signal);
  expect((await link.validity()).to).toBeGreaterThan(Date.now());
  expect(await readFile(paths.certificate, 'utf8')).not.toBe(expired);
  const ended = session();
  await opened.promise;
  stop.abort();
  await ended;
});

it('is told why it is refused for good', async () => {
  const { node, agent } = await fixture.enrol();
  await fixture.store.putNode({ ...node, state: 'created' });
  expect(await endOf(agent)).toMatchObject({
    kind: 'refused',
    renewable: false,
    reason: expect.stringContaining('401'),
  });
});

it('trusts no server of another name', async () => {
  const { agent } = await fixture.enrol();
  const end = await endOf(agent, { serverName: 'other.silverlining.internal' });
  expect(end).toMatchObject({ kind: 'closed', reason: expect.stringContaining('other.silverlining.internal') });
});

async function expiredCertificate(
  authority: Awaited<ReturnType<AgentServerFixture['otherAuthority']>>,
  agent: AgentIdentity,
): Promise<string> {
  const { certPem } = await authority.renew(new X509Certificate(agent.certPem).publicKey, agent.identity);
  return certPem;
}

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
