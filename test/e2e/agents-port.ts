/** The controller's port for agents while a set is up, and what strangers may send there. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControllerInfo, StatusResult } from '@silverlining/protocol';
import { describe, expect, it } from 'vitest';
import { openCertificates } from '../../packages/controller/src/io/certificates.ts';
import { systemClock } from '../../packages/controller/src/io/clock.ts';
import { randomIds } from '../../packages/controller/src/io/ids.ts';
import { type AgentAddress, connectAgent, httpRequest } from '../fakes/agent-client.ts';
import { type AgentIdentity, makeNodeKey } from '../fakes/agent-identity.ts';
import type { TestNode } from './support/nodes.ts';
import { slJson } from './support/sl.ts';

/** The first bytes of a TLS handshake whose record says that more than enough follows. */
const HALF_HELLO = Buffer.from('1603010fff010001fc0303', 'hex');
const GARBAGE: [string, Buffer][] = [
  ['random bytes', randomBytes(256 << 10)],
  ['plain HTTP', Buffer.from('GET /v1/agent HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n')],
  ['half a handshake', HALF_HELLO],
  ['NULs', Buffer.alloc(64 << 10)],
];

/** `node` is one of the set, whose agents have to stay as they are. */
export function describeAgentsPort(set: string, node: () => TestNode): void {
  const info = () => slJson<ControllerInfo>(['controller', 'status']);
  const agent = async () => (await node().exec(['systemctl', 'show', 'silver-agent', '-p', 'MainPID'])).stdout;
  const session = async () => [(await info()).pid, await agent()];

  /** Nobody was restarted, and all are heard. */
  async function expectAllLive(before: unknown[]): Promise<void> {
    expect(await session()).toEqual(before);
    const { nodes } = await slJson<StatusResult>(['status', '--set', set]);
    expect(nodes.map((it) => [it.state, it.reasons])).toEqual(nodes.map(() => ['healthy', []]));
  }

  describe('the port for agents', () => {
    it.each(GARBAGE)('outlives %s, on many connections', async (_what, bytes) => {
      const before = await session();
      const { port } = await info();
      const sockets = Array.from({ length: 20 }, () => pour(port, bytes));
      await expectAllLive(before);
      for (const socket of sockets) socket.destroy();
    });

    it('lets nobody in without a certificate, or with one of another authority for a node of the set', async () => {
      const before = await session();
      const { port } = await info();
      const caPem = (await node().exec(['cat', '/etc/silverlining/agent/ca.pem'])).stdout;
      const { uuid } = JSON.parse((await node().exec(['cat', '/etc/silverlining/agent.json'])).stdout);
      const stranger = await foreignIdentity(set, uuid);
      await expectRefused({ port, caPem }, 'no-certificate');
      await expectRefused({ port, caPem, agent: stranger }, 'foreign');
      await expectRefused({ port, caPem, agent: await foreignIdentity(set, randomUUID()) }, 'foreign');
      await expect(connectAgent({ port, caPem, agent: stranger, maxVersion: 'TLSv1.2' })).rejects.toThrow();
      await expectAllLive(before);
    });
  });
}

function pour(port: number, bytes: Buffer) {
  const socket = connect(port, '127.0.0.1');
  // The controller may cut it at any time.
  socket.on('error', () => undefined);
  socket.write(bytes);
  return socket;
}

async function expectRefused(address: AgentAddress, reason: string): Promise<void> {
  const refusal = { status: 401, error: { code: 'E_IDENTITY', details: { reason } } };
  await expect(connectAgent(address)).rejects.toMatchObject(refusal);
  await expect(connectAgent(address, `/v1/transfer/${'x'.repeat(32)}`)).rejects.toMatchObject(refusal);
  expect((await httpRequest(address, 'POST', '/v1/renew')).status).toBe(401);
}

/** All that an agent of the node has, made by an authority that the controller does not know. */
async function foreignIdentity(set: string, uuid: string): Promise<AgentIdentity> {
  const directory = await mkdtemp(join(tmpdir(), 'sl-ca-'));
  try {
    const authority = await openCertificates(directory, { clock: systemClock, ids: randomIds });
    const key = await makeNodeKey();
    const identity = { set, uuid, generation: 1 };
    const { certPem } = await authority.signCsr(key.csrPem, identity);
    return { identity, keyPem: key.keyPem, certPem, caPem: authority.caPem };
  } finally {
    await rm(directory, { recursive: true });
  }
}
