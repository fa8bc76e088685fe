import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '@silverlining/system';
import { type HostTrust, keysOfKnownHosts, knownHostName, knownHostsText } from '../../core/bootstrap/ssh-argv.ts';
import type { BootstrapRequest, SshTarget } from '../../ports.ts';

const DEADLINE = 10_000;

export type TrustRequest = Pick<BootstrapRequest, 'ssh' | 'pinnedHostKeys' | 'learnHostKey' | 'uuid'>;

/**
 * Whom to believe: pinned keys first, then what the provider vouches for, then the key shown now where that is allowed,
 * and otherwise only what the user knows already. `directory` is private and lives as long as the connection.
 */
export async function prepareTrust(request: TrustRequest, directory: string): Promise<HostTrust> {
  const { ssh, pinnedHostKeys, learnHostKey, uuid } = request;
  const keys = pinnedHostKeys.length > 0 ? pinnedHostKeys : (ssh.hostKeys ?? []);
  if (keys.length === 0 && !learnHostKey) return { kind: 'known', knownHosts: ssh.knownHostsFile };
  const knownHosts = join(directory, 'known_hosts');
  const alias = `silver-${uuid}`;
  await writeFile(knownHosts, knownHostsText(alias, keys), { mode: 0o600 });
  return { kind: keys.length === 0 ? 'learn' : 'pinned', knownHosts, alias };
}

/** The keys by which the host was believed: to be pinned. */
export async function trustedKeys(trust: HostTrust, target: SshTarget): Promise<string[]> {
  if (trust.kind !== 'known') return keysOfKnownHosts(await readFile(trust.knownHosts, 'utf8'));
  const file = trust.knownHosts === undefined ? [] : ['-f', trust.knownHosts];
  const options = { deadline: DEADLINE, allowExit: [1, 255] };
  const { stdout } = await exec(['ssh-keygen', '-F', knownHostName(target), ...file], options);
  return keysOfKnownHosts(stdout);
}

/** The keys that the host shows now, unverified: for messages. Empty when it cannot be asked. */
export async function offeredKeys({ host, port }: SshTarget): Promise<string[]> {
  try {
    const { stdout } = await exec(['ssh-keyscan', '-T', '5', '-p', String(port), '--', host], { deadline: DEADLINE });
    return keysOfKnownHosts(stdout);
  } catch {
    return [];
  }
}

/** `SHA256:...` as ssh shows it, after the key's type. */
export function fingerprint(key: string): string {
  const [type = '', blob = ''] = key.split(' ');
  const hash = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return `${type} SHA256:${hash.replace(/=+$/, '')}`;
}
