/** The private CA: made once, it signs the controller's own certificate and those of the agents, and nothing else. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { makeDirectoryDurable, writeFileDurable } from '@silverlining/system';
import { type Identity, identityUri, type PresentedCertificate, SERVER_NAME } from '../core/enrolment.ts';
import type { Clock, Ids } from '../ports.ts';
import {
  type CertificateTemplate,
  type Issuer,
  issueCertificate,
  keyHashOf,
  readPublicKey,
  readRequest,
} from './x509.ts';

const DAY = 24 * 60 * 60 * 1000;
/** Certificates start before they are made, for ends whose clock is behind: by a wrong time zone, at the most. */
const BACKDATE = DAY;
const AGENT_LIFE = 7 * DAY;
const SERVER_LIFE = 365 * DAY;
/** There is no rotation of the CA: it has to outlive the servers that trust it. */
const CA_LIFE = 20 * 365 * DAY;
const CA_NAME = 'Silver Lining';

export interface SignedCertificate {
  certPem: string;
  /** SHA-256 (hex) of the public key, as the node's row keeps it. */
  keyHash: string;
}

export interface KeyPair {
  keyPem: string;
  certPem: string;
}

export interface Certificates {
  /** What agents trust, and nothing else. */
  readonly caPem: string;
  /** The controller's own key and certificate, renewed when less than half of its life is left. */
  server(): Promise<KeyPair>;
  /**
   * Signs a node's request for seven days: its signature must be right and its key P-256; its subject and extensions
   * are ignored. E_IDENTITY otherwise.
   */
  signCsr(csrPem: string, identity: Identity): Promise<SignedCertificate>;
  /** A new certificate for the key of an earlier one. */
  renew(publicKey: KeyObject, identity: Identity): Promise<SignedCertificate>;
  /** What of a client's certificate decides whether it is let in. */
  inspect(certificate: X509Certificate): PresentedCertificate;
}

/** Opens the CA kept in `directory` (0700, its files 0600), made when there is none. E_STORE when it cannot be read. */
export async function openCertificates(
  directory: string,
  world: { clock: Pick<Clock, 'now'>; ids: Pick<Ids, 'uuid'> },
): Promise<Certificates> {
  await makeDirectoryDurable(directory);
  const { clock } = world;
  const template = templates(world);
  const file = join(directory, 'ca.pem');
  const pair =
    (await readPair(file)) ?? (await makePair(file, template({ purpose: 'ca', name: CA_NAME, life: CA_LIFE })));
  const ca = new X509Certificate(pair.certPem);
  const issuer = issuerOf(pair);
  const signClient = async (key: KeyObject, identity: Identity): Promise<SignedCertificate> => {
    const alternative = { type: 'url', value: identityUri(identity) } as const;
    const wanted = template({ purpose: 'client', name: identity.uuid, life: AGENT_LIFE, alternative });
    return { certPem: await issueCertificate(wanted, key, issuer), keyHash: keyHashOf(key) };
  };
  return {
    caPem: pair.certPem,
    async server() {
      const path = join(directory, 'server.pem');
      const known = await readPair(path);
      if (known !== undefined && isServing(known, ca, clock.now())) return known;
      const alternative = { type: 'dns', value: SERVER_NAME } as const;
      return makePair(path, template({ purpose: 'server', name: SERVER_NAME, life: SERVER_LIFE, alternative }), issuer);
    },
    signCsr: async (csrPem, identity) => signClient(await readRequest(csrPem), identity),
    renew: (publicKey, identity) =>
      signClient(readPublicKey(publicKey.export({ type: 'spki', format: 'der' })), identity),
    inspect: (certificate) => inspect(certificate, ca),
  };
}

/** Key and certificate stand in one file, so that a crash cannot leave a new one beside an old one. */
async function makePair(file: string, template: CertificateTemplate, by?: Issuer): Promise<KeyPair> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = by ?? { name: template.name, publicKey, privateKey };
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const certPem = await issueCertificate(template, publicKey, issuer);
  await writeFileDurable(file, keyPem + certPem);
  return { keyPem, certPem };
}

async function readPair(file: string): Promise<KeyPair | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new SlError('E_STORE', `${file} cannot be read`, { cause });
  }
  const start = text.indexOf('-----BEGIN CERTIFICATE-----');
  const pair = { keyPem: text.slice(0, start), certPem: text.slice(start) };
  try {
    if (new X509Certificate(pair.certPem).checkPrivateKey(createPrivateKey(pair.keyPem))) return pair;
  } catch (cause) {
    throw damagedPair(file, cause);
  }
  throw damagedPair(file);
}

function damagedPair(file: string, cause?: unknown): SlError {
  const message = `${file} is damaged: restore it from a backup. Agents trust no other certificate authority`;
  return new SlError('E_STORE', message, { cause });
}

function issuerOf({ keyPem, certPem }: KeyPair): Issuer {
  return { name: CA_NAME, privateKey: createPrivateKey(keyPem), publicKey: createPublicKey(certPem) };
}

function isServing({ certPem }: KeyPair, ca: X509Certificate, now: number): boolean {
  const certificate = new X509Certificate(certPem);
  const { validFromDate, validToDate } = certificate;
  const left = validToDate.getTime() - now;
  return certificate.verify(ca.publicKey) && now >= validFromDate.getTime() && left > SERVER_LIFE / 2;
}

function inspect(certificate: X509Certificate, ca: X509Certificate): PresentedCertificate {
  const ours = !certificate.ca && certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
  return {
    ours,
    // Node calls the extended key usages so.
    usages: certificate.keyUsage ?? [],
    names: certificate.subjectAltName,
    // Somebody else's certificate may hold a key that cannot even be read.
    keyHash: ours ? keyHashOf(certificate.publicKey) : '',
    validFrom: certificate.validFromDate.getTime(),
    validTo: certificate.validToDate.getTime(),
  };
}

type Wish = Pick<CertificateTemplate, 'purpose' | 'name' | 'alternative'> & { life: number };

function templates({ clock, ids }: { clock: Pick<Clock, 'now'>; ids: Pick<Ids, 'uuid'> }) {
  return ({ life, ...wish }: Wish): CertificateTemplate => {
    const now = clock.now();
    // A first digit that keeps the number positive and its DER form minimal.
    const serial = `4${ids.uuid().replaceAll('-', '').slice(1)}`;
    return { ...wish, serial, notBefore: new Date(now - BACKDATE), notAfter: new Date(now + life) };
  };
}
