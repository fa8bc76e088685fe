import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentAddress, connectAgent, httpRequest } from '../../../../../test/fakes/agent-client.ts';
import { type AgentIdentity, makeNodeKey } from '../../../../../test/fakes/agent-identity.ts';
import { type AgentServerFixture, agentServerFixture } from '../../../../../test/fakes/agent-server-fixture.ts';

const DAY = 86_400_000;

let fixture: AgentServerFixture;
beforeAll(async () => {
  fixture = await agentServerFixture();
});
afterAll(() => fixture.close());

/** Every identity that must not be let in, and the reason that it is told. */
const WRONG: [string, string, () => Promise<AgentIdentity | undefined>][] = [
  ['no certificate', 'no-certificate', async () => undefined],
  ['a certificate of another authority', 'foreign', async () => signedBy(await fixture.otherAuthority('foreign'))],
  ['the server certificate of another authority', 'foreign', async () => otherServer()],
  ["the controller's own certificate", 'usage', async () => serverIdentity()],
  ['a node that was removed', 'unknown-node', async () => removed()],
  ['a node of another set', 'unknown-node', async () => changed({}, { set: 'other' })],
  ['a revoked node', 'not-enrolled', async () => changed({ state: 'created' })],
  ['a node without a key', 'not-enrolled', async () => changed({ keyHash: undefined })],
  ['an older enrolment', 'generation', async () => changed({ certGeneration: 2 })],
  ['another key with the right chain', 'key', async () => changed({ keyHash: 'f'.repeat(64) })],
  ['an expired certificate', 'expired', async () => expired()],
  ['a certificate of the future', 'not-yet-valid', async () => expired(30 * DAY)],
];

/** Every way in. */
const ENTRIES: [string, (address: AgentAddress) => Promise<{ status: number; error: unknown }>][] = [
  ['GET /v1/agent (upgrade)', (address) => upgrade(address, '/v1/agent')],
  ['GET /v1/transfer/ID (upgrade)', (address) => upgrade(address, `/v1/transfer/${'x'.repeat(32)}`)],
  ['GET /nowhere (upgrade)', (address) => upgrade(address, '/nowhere')],
  ['POST /v1/renew', (address) => plain(address, 'POST', '/v1/renew')],
  ['GET /v1/renew', (address) => plain(address, 'GET', '/v1/renew')],
  ['POST /v1/renew?x', (address) => plain(address, 'POST', '/v1/renew?x')],
  ['GET /', (address) => plain(address, 'GET', '/')],
];

const RENEWABLE = ['expired', 'not-yet-valid'];

describe.each(WRONG)('%s', (_name, reason, identity) => {
  let address: AgentAddress;
  beforeAll(async () => {
    const agent = await identity();
    const { caPem } = fixture.certificates;
    address = { port: fixture.port, caPem, ...(agent === undefined ? {} : { agent }) };
  });

  it.each(ENTRIES)('is refused at %s with the reason', async (entry, ask) => {
    const answer = await ask(address);
    if (RENEWABLE.includes(reason) && entry === 'POST /v1/renew') {
      expect(answer.status).toBe(200);
    } else {
      expect(answer).toMatchObject({ status: 401, error: { code: 'E_IDENTITY', details: { reason } } });
    }
  });
});

describe('an enrolled node', () => {
  it('finds nothing but what there is', async () => {
    const { agent } = await fixture.enrol();
    const address = { port: fixture.port, agent };
    for (const answer of [await plain(address, 'GET', '/v1/agent'), await plain(address, 'DELETE', '/v1/renew')]) {
      expect(answer).toMatchObject({ status: 404, error: { code: 'E_NOT_FOUND' } });
    }
    expect(await upgrade(address, '/v1/agent/../agent2')).toMatchObject({ status: 404 });
    expect(await upgrade(address, `/v1/transfer/constructor`)).toMatchObject({ status: 404 });
  });

  it('renews with an expired certificate, and is let in with the new one', async () => {
    const agent = await expired();
    const answer = await httpRequest({ port: fixture.port, agent }, 'POST', '/v1/renew');
    expect(answer.status).toBe(200);
    const { certificate } = JSON.parse(answer.body);
    const renewed = new X509Certificate(certificate);
    expect(renewed.publicKey.equals(new X509Certificate(agent.certPem).publicKey)).toBe(true);
    expect(renewed.subjectAltName).toBe(new X509Certificate(agent.certPem).subjectAltName);
    const client = await connectAgent({ port: fixture.port, agent: { ...agent, certPem: certificate } });
    client.close();
  });

  it('speaks TLS 1.3 only', async () => {
    const { agent } = await fixture.enrol();
    const old = httpRequest({ port: fixture.port, agent, maxVersion: 'TLSv1.2' }, 'POST', '/v1/renew');
    await expect(old).rejects.toThrow(/protocol version|alert/);
  });
});

async function upgrade(address: AgentAddress, path: string) {
  const client = await connectAgent(address, path).catch((refused: unknown) => refused);
  if (client instanceof Error && 'status' in client && 'error' in client) {
    return { status: Number(client.status), error: client.error };
  }
  throw new Error('was let in', { cause: client });
}

async function plain(address: AgentAddress, method: string, path: string) {
  const { status, body } = await httpRequest(address, method, path);
  return { status, error: JSON.parse(body) };
}

async function signedBy(authority: typeof fixture.certificates): Promise<AgentIdentity> {
  const { agent } = await fixture.enrol();
  const key = await makeNodeKey();
  const { certPem } = await authority.signCsr(key.csrPem, agent.identity);
  return { ...agent, keyPem: key.keyPem, certPem };
}

async function otherServer(): Promise<AgentIdentity> {
  const { agent } = await fixture.enrol();
  const { keyPem, certPem } = await (await fixture.otherAuthority('own')).server();
  return { ...agent, keyPem, certPem };
}

async function serverIdentity(): Promise<AgentIdentity> {
  const { agent } = await fixture.enrol();
  return { ...agent, ...(await fixture.certificates.server()) };
}

async function removed(): Promise<AgentIdentity> {
  const { node, agent } = await fixture.enrol();
  await fixture.store.deleteNode(node.uuid);
  return agent;
}

type Row = Awaited<ReturnType<typeof fixture.enrol>>['node'];

/** The row changes after the certificate was issued, or the certificate names another set than the row. */
async function changed(row: Partial<Row>, claimed: { set?: string } = {}): Promise<AgentIdentity> {
  const { node, agent } = await fixture.enrol();
  await fixture.store.putNode({ ...node, ...row });
  const key = new X509Certificate(agent.certPem).publicKey;
  const { certPem } = await fixture.certificates.renew(key, { ...agent.identity, ...claimed });
  return { ...agent, certPem };
}

/** Issued by the same authority when its clock was elsewhere. */
async function expired(offset = -30 * DAY): Promise<AgentIdentity> {
  const { agent } = await fixture.enrol();
  const then = await fixture.otherAuthority('ca', () => Date.now() + offset);
  const key = new X509Certificate(agent.certPem).publicKey;
  const { certPem } = await then.renew(key, agent.identity);
  return { ...agent, certPem };
}
