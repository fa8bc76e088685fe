/** Certificates and signing requests as `@peculiar/x509` knows them, on Node's own cryptography. */
// The library's container needs the metadata API to exist before it is loaded.
import 'reflect-metadata';
import { createHash, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { SlError } from '@silverlining/protocol';

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const;

const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;

export interface CertificateTemplate {
  /** Common name; for people, nothing decides by it. */
  name: string;
  /** The alternative name that counts; none for the CA itself. */
  alternative?: x509.JsonGeneralName;
  purpose: 'ca' | 'server' | 'client';
  serial: string;
  notBefore: Date;
  notAfter: Date;
}

export interface Issuer {
  name: string;
  publicKey: KeyObject;
  privateKey: KeyObject;
}

/** Signs a certificate for the public key, P-256 with SHA-256, and returns its PEM. */
export async function issueCertificate(
  template: CertificateTemplate,
  publicKey: KeyObject,
  issuer: Issuer,
): Promise<string> {
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: template.serial,
    subject: [{ CN: [template.name] }],
    issuer: [{ CN: [issuer.name] }],
    notBefore: template.notBefore,
    notAfter: template.notAfter,
    publicKey: new x509.PublicKey(spki(publicKey)),
    signingKey: issuer.privateKey.toCryptoKey(CURVE, false, ['sign']),
    signingAlgorithm: SIGNING,
    extensions: await extensionsOf(template, publicKey, issuer),
  });
  return `${certificate.toString('pem')}\n`;
}

/** The key of a signing request whose signature by that key is right and which is P-256; E_IDENTITY otherwise. */
export async function readRequest(pem: string): Promise<KeyObject> {
  let request: x509.Pkcs10CertificateRequest;
  try {
    request = new x509.Pkcs10CertificateRequest(pem);
  } catch (cause) {
    throw new SlError('E_IDENTITY', 'what the node sent is not a certificate signing request', { cause });
  }
  const key = readPublicKey(request.publicKey.rawData);
  if (!(await isSigned(request))) {
    throw new SlError('E_IDENTITY', 'the signing request is not signed by the key that it names');
  }
  return key;
}

/** A P-256 public key of its SubjectPublicKeyInfo; E_IDENTITY for anything else. */
export function readPublicKey(der: ArrayBuffer | Uint8Array): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(new Uint8Array(der)), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new SlError('E_IDENTITY', 'the public key cannot be read', { cause });
  }
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  throw new SlError('E_IDENTITY', 'only P-256 keys are admitted');
}

/** SHA-256 (hex) of the key as SubjectPublicKeyInfo: the same however the key was written where it came from. */
export function keyHashOf(key: KeyObject): string {
  return createHash('sha256').update(spki(key)).digest('hex');
}

function spki(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ type: 'spki', format: 'der' }));
}

async function isSigned(request: x509.Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    return false;
  }
}

async function extensionsOf(
  { alternative, purpose }: CertificateTemplate,
  publicKey: KeyObject,
  issuer: Issuer,
): Promise<x509.Extension[]> {
  const isCa = purpose === 'ca';
  const usage = isCa
    ? x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign
    : x509.KeyUsageFlags.digitalSignature;
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  return [
    // No certificate of ours may sign another one, but for the CA's, and that only end entities'.
    new x509.BasicConstraintsExtension(isCa, isCa ? 0 : undefined, true),
    new x509.KeyUsagesExtension(usage, true),
    ...(isCa ? [] : [new x509.ExtendedKeyUsageExtension([purpose === 'server' ? serverAuth : clientAuth], true)]),
    ...(alternative === undefined ? [] : [new x509.SubjectAlternativeNameExtension([alternative])]),
    await x509.SubjectKeyIdentifierExtension.create(cryptoKey(publicKey)),
    await x509.AuthorityKeyIdentifierExtension.create(cryptoKey(issuer.publicKey)),
  ];
}

function cryptoKey(publicKey: KeyObject): webcrypto.CryptoKey {
  return publicKey.toCryptoKey(CURVE, true, ['verify']);
}
