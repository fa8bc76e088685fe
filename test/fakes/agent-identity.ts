/** Keys, signing requests and certificates of agents, as the bootstrap makes them on a node. */
import 'reflect-metadata';
import { createPublicKey, type KeyObject, randomUUID, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Identity } from '../../packages/controller/src/core/enrolment.ts';
import type { Certificates } from '../../packages/controller/src/io/certificates.ts';
import type { NodeRecord, Store } from '../../packages/controller/src/ports.ts';

export interface NodeKey {
  keyPem: string;
  publicKey: KeyObject;
  csrPem: string;
}

/** Key, certificate and CA of an agent: what it connects with. */
export interface AgentIdentity {
  identity: Identity;
  keyPem: string;
  certPem: string;
  caPem: string;
}

/** A key and a signing request for it, whose subject claims to be somebody else. */
export async function makeNodeKey(namedCurve: 'P-256' | 'P-384' = 'P-256'): Promise<NodeKey> {
  const algorithm = { name: 'ECDSA', namedCurve, hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=controller.silverlining.internal',
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'spiffe://demo/node/somebody/g/1' }]),
    ],
  });
  return {
    keyPem: await pemOf(keys.privateKey),
    publicKey: createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' }),
    csrPem: request.toString('pem'),
  };
}

/** Key and certificate of a server of that name. */
export async function selfSigned(name: string): Promise<{ keyPem: string; certPem: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
  });
  return { keyPem: await pemOf(keys.privateKey), certPem: certificate.toString('pem') };
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`;
}

/** Journals an enrolled node in the set, which must exist, and returns what its agent connects with. */
export async function enrolNode(
  store: Store,
  certificates: Certificates,
  changes: Partial<NodeRecord> & { set: string },
): Promise<{ node: NodeRecord; agent: AgentIdentity }> {
  const key = await makeNodeKey();
  const identity = { set: changes.set, uuid: changes.uuid ?? randomUUID(), generation: changes.certGeneration ?? 1 };
  const { certPem, keyHash } = await certificates.signCsr(key.csrPem, identity);
  const node: NodeRecord = {
    ...{ uuid: identity.uuid, name: `app1.${identity.set}.internal`, roles: ['appserver'], state: 'enrolled' },
    ...{
      providerId: 'p1',
      address: '127.0.0.1',
      keyHash,
      certGeneration: identity.generation,
      hostKeys: [],
      told: undefined,
    },
    ...{ lastSeen: undefined, facts: undefined },
    ...changes,
  };
  await store.putNode(node);
  return { node, agent: { identity, keyPem: key.keyPem, certPem, caPem: certificates.caPem } };
}
