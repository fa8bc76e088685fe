/** The key that orders to agents are signed with. It stands beside the CA, and TLS has no use for it. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { makeDirectoryDurable, readFileIfAny, writeFileDurable } from '@silverlining/system';
import { keyHashOf } from './x509.ts';

export interface SigningKey {
  /** SHA-256 (hex) of the public key: how hello and status name it. */
  readonly id: string;
  /** What nodes are given when they are set up. */
  readonly publicPem: string;
  /** Ed25519, base64url. */
  sign(text: string): string;
}

/** Opens the key in `directory` (0700; the file 0600), made when there is none. E_STORE when it is damaged. */
export async function openSigningKey(directory: string): Promise<SigningKey> {
  await makeDirectoryDurable(directory);
  const file = join(directory, 'signing.pem');
  const key = (await readKey(file)) ?? (await makeKey(file));
  const publicKey = createPublicKey(key);
  return {
    id: keyHashOf(publicKey),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64url'),
  };
}

async function makeKey(file: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFileDurable(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return privateKey;
}

async function readKey(file: string): Promise<KeyObject | undefined> {
  const text = await readFileIfAny(file);
  if (text === undefined) return undefined;
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw damaged(file, cause);
  }
  throw damaged(file);
}

function damaged(file: string, cause?: unknown): SlError {
  const remedy = 'restore it from a backup, or remove it: sl up then gives the nodes a new one over SSH';
  return new SlError('E_STORE', `${file} holds no Ed25519 key: ${remedy}`, { cause });
}
