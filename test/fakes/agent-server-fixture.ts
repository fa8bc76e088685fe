/** A running agent server on a free port with its own CA and an empty store, for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { ListenOptions } from '../../packages/controller/src/io/agent-server/listen.ts';
import { type AgentServer, createAgentServer } from '../../packages/controller/src/io/agent-server/server.ts';
import type { AgentServerSettings } from '../../packages/controller/src/io/agent-server/settings.ts';
import { type Certificates, openCertificates } from '../../packages/controller/src/io/certificates.ts';
import { systemClock } from '../../packages/controller/src/io/clock.ts';
import { randomIds } from '../../packages/controller/src/io/ids.ts';
import { openSigningKey, type SigningKey } from '../../packages/controller/src/io/signing-key.ts';
import { serverSet } from '../../packages/controller/src/io/store/contract-records.ts';
import type { NodeRecord, Store } from '../../packages/controller/src/ports.ts';
import { type AgentAddress, type AgentClient, connectAgent } from './agent-client.ts';
import { type AgentIdentity, enrolNode } from './agent-identity.ts';
import { memoryStore } from './memory-store.ts';

export interface AgentServerFixture {
  server: AgentServer;
  store: Store;
  certificates: Certificates;
  signingKey: SigningKey;
  port: number;
  /** Lines of its log, parsed. */
  logged: Record<string, unknown>[];
  enrol(changes?: Partial<NodeRecord>): Promise<{ node: NodeRecord; agent: AgentIdentity }>;
  /** A CA of its own directory, at another time or of somebody else. */
  otherAuthority(name: string, now?: () => number): Promise<Certificates>;
  /** A new node's agent, after its hello. */
  agent(): Promise<{ client: AgentClient; node: NodeRecord; address: AgentAddress }>;
  close(): Promise<void>;
}

/** The set of its nodes is `demo`. */
export async function agentServerFixture(
  settings: Partial<AgentServerSettings> = {},
  where: ListenOptions = { port: 0, host: '127.0.0.1' },
  limits: { openFiles?: number } = {},
): Promise<AgentServerFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'sl-agents-'));
  const authority = (name: string, now = systemClock.now) =>
    openCertificates(join(directory, name), { clock: { now }, ids: randomIds });
  const store = memoryStore();
  await store.putSet('demo', serverSet('demo'));
  const certificates = await authority('ca');
  const logged: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line)) });
  const signingKey = await openSigningKey(join(directory, 'ca'));
  const world = { clock: systemClock, ids: randomIds, log, settings, ...limits };
  const server = await createAgentServer({ store, certificates, signingKey, ...world });
  const close = async () => {
    await server.close();
    await rm(directory, { recursive: true });
  };
  const port = await server.listen(where).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const enrol = (changes: Partial<NodeRecord> = {}) => enrolNode(store, certificates, { set: 'demo', ...changes });
  return {
    ...{ server, store, certificates, signingKey, port, logged, enrol, otherAuthority: authority },
    async agent() {
      const { node, agent } = await enrol();
      const address = { port, agent };
      const client = await connectAgent(address);
      const known = new Promise<void>((resolve) => server.fleet.onHello(() => resolve()));
      client.hello();
      await known;
      return { client, node, address };
    },
    close,
  };
}
