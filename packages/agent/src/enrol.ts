/**
 * What the bootstrap runs once on a new node, a bundle apart from the agent's: `key FILE` makes the node's key and
 * prints a certificate request for it; `reach HOST PORT` tries to connect. The key never leaves the node.
 */
import 'reflect-metadata';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CONNECT_DEADLINE = 10_000;

async function makeKey(file: string): Promise<string> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  // The controller takes nothing from the request but the key: the name is for whoever reads it.
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=silver-agent',
    keys,
    signingAlgorithm: ALGORITHM,
  });
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const pem = `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
  const handle = await open(file, 'wx', 0o600);
  await handle.writeFile(pem);
  await handle.sync();
  await handle.close();
  return request.toString('pem');
}

function reach(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: CONNECT_DEADLINE });
    socket.on('connect', () => {
      socket.destroy();
      resolve('');
    });
    socket.on('timeout', () => socket.destroy(new Error(`no answer in ${CONNECT_DEADLINE / 1000} s`)));
    socket.on('error', reject);
  });
}

async function main([command, first = '', second = '']: string[]): Promise<string> {
  if (command === 'key') return makeKey(first);
  if (command === 'reach') return reach(first, Number(second));
  throw new Error('usage: enrol key FILE | enrol reach HOST PORT');
}

main(process.argv.slice(2)).then(
  (text) => process.stdout.write(`${text}\n`),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
