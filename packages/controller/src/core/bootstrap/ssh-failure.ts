/** What ssh's own words mean: it has one exit status for everything that is its own failure. */
export type SshFailure =
  | 'host-key-changed'
  | 'host-key-unknown'
  | 'denied'
  | 'unreachable'
  | 'no-sudo'
  | 'sudo'
  | 'other';

export function sshFailure(stderr: string): SshFailure {
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed/i.test(stderr)) return 'host-key-changed';
  if (/Host key verification failed|No .* host key is known/i.test(stderr)) return 'host-key-unknown';
  if (/sudo: (?:command )?not found/.test(stderr)) return 'no-sudo';
  if (/sudo: /.test(stderr)) return 'sudo';
  if (/Permission denied|Too many authentication failures/i.test(stderr)) return 'denied';
  const gone =
    /Connection (?:refused|reset|closed|timed out)|No route to host|Network is unreachable|Could not resolve|Operation timed out|banner exchange/i;
  return gone.test(stderr) ? 'unreachable' : 'other';
}

/** The key that ssh refused, in its own words: type and fingerprint. */
export function offeredFingerprint(stderr: string): string | undefined {
  const match = /fingerprint for the (\S+) key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]+)/.exec(stderr);
  return match === null ? undefined : `${match[1]} ${match[2]}`;
}
