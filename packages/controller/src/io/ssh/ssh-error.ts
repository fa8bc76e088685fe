import { SlError } from '@silverlining/protocol';
import { shellQuote } from '../../core/bootstrap/shell-quote.ts';
import type { HostTrust } from '../../core/bootstrap/ssh-argv.ts';
import { knownHostName } from '../../core/bootstrap/ssh-argv.ts';
import { offeredFingerprint, sshFailure } from '../../core/bootstrap/ssh-failure.ts';
import type { BootstrapRequest } from '../../ports.ts';
import { fingerprint, offeredKeys, trustedKeys } from './host-keys.ts';
import { RemoteEnded } from './remote-script.ts';

/** What went wrong over SSH, where, and what to do about it. */
export async function sshError(error: unknown, request: BootstrapRequest, trust: HostTrust): Promise<SlError> {
  const { name, ssh } = request;
  const details = { node: name };
  if (error instanceof SlError) {
    return new SlError(error.code, error.message, { cause: error, details: { ...error.details, ...details } });
  }
  if (!(error instanceof RemoteEnded))
    return new SlError('E_SSH', `${name}: ${String(error)}`, { cause: error, details });
  const message = await explain(error, request, trust);
  const log = error.stderr.split(/\r?\n/).filter((line) => line.trim() !== '');
  // What ssh says of keys is said better in the message, and its remedies are for other files.
  const shown = sshFailure(error.stderr).startsWith('host-key') ? {} : { log: log.slice(-8) };
  return new SlError('E_SSH', `${name} (${ssh.user}@${ssh.host}): ${message}`, {
    cause: error,
    details: { ...details, ...shown },
  });
}

async function explain(error: RemoteEnded, request: BootstrapRequest, trust: HostTrust): Promise<string> {
  const { ssh } = request;
  // What the machine says besides, of its own name that it cannot resolve for example, is not why it ended.
  switch (error.ran ? 'other' : sshFailure(error.stderr)) {
    case 'host-key-changed':
      return changedKey(error, request, trust);
    case 'host-key-unknown':
      // A pinned key of another type than the host shows now is a change too.
      return trust.kind === 'known' ? unknownKey(request, trust) : changedKey(error, request, trust);
    case 'denied': {
      const key = ssh.identityFile === undefined ? 'any key of yours' : ssh.identityFile;
      return `does not let ${ssh.user} in with ${key}; add its public key to ${ssh.user}'s authorized_keys there, or set user or identity`;
    }
    case 'no-sudo':
      return `${ssh.user} is not root, and sudo is not installed there: install it, or set user = root`;
    case 'sudo':
      return `${ssh.user} may not use sudo without a password: add "${ssh.user} ALL=(ALL) NOPASSWD: ALL" to sudoers there, or set user = root`;
    case 'unreachable':
      return `cannot be reached on port ${ssh.port}: ${error.message}`;
    default:
      return `the SSH session ended: ${error.message}; nothing was started there, run it again`;
  }
}

async function changedKey(error: RemoteEnded, request: BootstrapRequest, trust: HostTrust): Promise<string> {
  const expected = (await trustedKeys(trust, request.ssh)).map(fingerprint);
  const shown = offeredFingerprint(error.stderr) ?? (await offeredKeys(request.ssh)).map(fingerprint).join(', ');
  const file = trust.kind === 'known' && trust.knownHosts !== undefined ? `-f ${shellQuote(trust.knownHosts)} ` : '';
  const remedy =
    trust.kind === 'known'
      ? `remove the old key with: ssh-keygen ${file}-R ${shellQuote(knownHostName(request.ssh))}`
      : 'destroy the node and create it again, or restore its key';
  return (
    `its host key has changed: expected ${expected.join(', ') || 'another one'}, it shows ${shown || 'an unknown one'}. ` +
    `Somebody may be in between. If the machine was really set up anew, ${remedy}`
  );
}

async function unknownKey(request: BootstrapRequest, trust: HostTrust): Promise<string> {
  const { ssh } = request;
  const offered = (await offeredKeys(ssh)).map(fingerprint);
  const shows = offered.length > 0 ? `; it shows ${offered.join(', ')}` : '';
  const file =
    trust.kind === 'known' && trust.knownHosts !== undefined ? shellQuote(trust.knownHosts) : '~/.ssh/known_hosts';
  const port = ssh.port === 22 ? '' : `-p ${ssh.port} `;
  return (
    `its host key is not known${shows}. Compare that with the machine's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub ` +
    `on it), then add it: ssh-keyscan ${port}${ssh.host} >> ${file}`
  );
}
