/**
 * Identities of the simulated nodes, enrolled as the bootstrap does it: a key and a signing request of the node's, a
 * certificate of the controller's CA, and the key's hash in the node's row. Only SSH, which brings them there, is left out.
 */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readServerSet } from '../../../packages/controller/src/index.ts';
import { createArtifacts } from '../../../packages/controller/src/io/artifacts.ts';
import { type Certificates, openCertificates } from '../../../packages/controller/src/io/certificates.ts';
import { systemClock } from '../../../packages/controller/src/io/clock.ts';
import { randomIds } from '../../../packages/controller/src/io/ids.ts';
import { openSigningKey } from '../../../packages/controller/src/io/signing-key.ts';
import type { Database } from '../../../packages/controller/src/io/store/database.ts';
import { nodesTable } from '../../../packages/controller/src/io/store/nodes.ts';
import { openDatabase } from '../../../packages/controller/src/io/store/open-database.ts';
import { setsTable } from '../../../packages/controller/src/io/store/sets.ts';
import { makeNodeKey } from '../../fakes/agent-identity.ts';
import type { ScaleNode, ScaleSet, Workspace } from './workspace.ts';

interface Key {
  keyPem: string;
  csrPem: string;
}

/** What a simulated agent has of its own. */
export interface ScaleAgent extends ScaleNode, Omit<Key, 'csrPem'> {
  set: string;
  uuid: string;
  certPem: string;
}

export interface AgentsFile {
  caPem: string;
  /** What the controller's orders are signed with: the key of which the nodes were told. */
  orderKey: string;
  /** Digest of the agent that this tree has: nobody has to be brought to it. */
  agentDigest: string;
  agents: ScaleAgent[];
}

/** Fills the store and the CA of a controller that does not run yet, and writes what the simulators need. */
export async function enrolAll({ directories, sets, keyFile, agentsFile }: Workspace): Promise<void> {
  const world = { clock: systemClock, ids: randomIds };
  const certificates = await openCertificates(join(directories.state, 'ca'), world);
  const keys = await keysOf(keyFile, sets.flatMap((it) => it.nodes).length);
  const db = openDatabase(join(directories.state, 'store.sqlite'));
  try {
    const agents: ScaleAgent[] = [];
    for (const set of sets) agents.push(...(await enrolSet(db, certificates, set, keys.splice(0, set.nodes.length))));
    const { id: orderKey } = await openSigningKey(join(directories.state, 'ca'));
    const { digest: agentDigest } = await createArtifacts(directories.cache).agentBundle();
    const file: AgentsFile = { caPem: certificates.caPem, orderKey, agentDigest, agents };
    await writeFile(agentsFile, JSON.stringify(file), { mode: 0o600 });
  } finally {
    db.close();
  }
}

async function enrolSet(
  db: Database,
  certificates: Certificates,
  { name, file, nodes }: ScaleSet,
  keys: readonly Key[],
): Promise<ScaleAgent[]> {
  const { set, problems } = readServerSet(file);
  if (set === undefined) throw new Error(`${file}: ${problems.map((it) => it.message).join('; ')}`);
  await setsTable(db).putSet(name, set);
  const table = nodesTable(db);
  // One transaction: waiting for the disk after each of thousands of rows would take minutes.
  db.exec('BEGIN IMMEDIATE');
  const agents: ScaleAgent[] = [];
  for (const [i, { keyPem, csrPem }] of keys.entries()) {
    const node = nodes[i];
    if (node === undefined) break;
    const uuid = randomUUID();
    const { certPem, keyHash } = await certificates.signCsr(csrPem, { set: name, uuid, generation: 1 });
    await table.putNode({
      ...{ uuid, set: name, name: node.name, roles: node.roles, providerId: node.name, address: node.address },
      ...{
        state: 'enrolled',
        keyHash,
        certGeneration: 1,
        hostKeys: [],
        told: undefined,
        lastSeen: undefined,
        facts: undefined,
      },
    });
    agents.push({ ...node, set: name, uuid, keyPem, certPem });
  }
  db.exec('COMMIT');
  return agents;
}

/** Made once: keys are what takes long. They protect nothing but this bench. */
async function keysOf(file: string, count: number): Promise<Key[]> {
  const known: Key[] = JSON.parse(await readFile(file, 'utf8').catch(() => '[]'));
  const missing = Math.max(0, count - known.length);
  for (let i = 0; i < missing; i++) {
    const { keyPem, csrPem } = await makeNodeKey();
    known.push({ keyPem, csrPem });
  }
  if (missing > 0) await writeFile(file, JSON.stringify(known), { mode: 0o600 });
  return known.slice(0, count);
}
