import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { renewReply, SlError } from '@silverlining/protocol';
import { readFile, writeFileDurable } from '@silverlining/system';
import type { AgentPaths } from '../core/paths.ts';
import { type AgentConfig, tlsOptions } from './identity.ts';

const DEADLINE = 20_000;
const MAX_BODY = 65_536;

/**
 * Asks the controller for a new certificate of the same key and stores it. The controller takes the expired one too,
 * as long as the key is the pinned one. E_IDENTITY with its reason when it refuses.
 */
export async function renewCertificate(paths: AgentPaths, config: AgentConfig, signal: AbortSignal): Promise<void> {
  const { status, body } = await post(new URL('/v1/renew', config.controllerUrl.replace(/^wss:/, 'https:')), {
    ...(await tlsOptions(paths, config)),
    signal,
  });
  if (status !== 200) {
    throw new SlError(
      'E_IDENTITY',
      `the controller did not renew the certificate: status ${status}: ${body.slice(0, 500)}`,
    );
  }
  const { certificate } = renewReply.parse(JSON.parse(body));
  const old = new X509Certificate(await readFile(paths.certificate));
  const fresh = new X509Certificate(certificate);
  if (!fresh.publicKey.equals(old.publicKey))
    throw new SlError('E_IDENTITY', 'the renewed certificate is for another key');
  await writeFileDurable(paths.certificate, certificate);
}

type PostOptions = Awaited<ReturnType<typeof tlsOptions>> & { signal: AbortSignal };

function post(url: URL, options: PostOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const call = request(url, { ...options, method: 'POST', headers, timeout: DEADLINE, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MAX_BODY) call.destroy(new Error('the answer is too large'));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('timeout', () => call.destroy(new SlError('E_DEADLINE', 'renewing the certificate took too long')));
    call.on('error', reject);
    call.end('{}');
  });
}
