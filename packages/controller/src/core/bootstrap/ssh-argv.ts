import type { SshTarget } from '../../records.ts';
import { shellQuote } from './shell-quote.ts';

/** Whom to believe that a host is who it says. */
export type HostTrust =
  /** Only the keys in this file, which stand there under `alias`. */
  | { kind: 'pinned'; knownHosts: string; alias: string }
  /** Whatever key it shows this time goes into this file, under `alias`. */
  | { kind: 'learn'; knownHosts: string; alias: string }
  /** The user's own known hosts, or the file that the target names. */
  | { kind: 'known'; knownHosts: string | undefined };

/**
 * argv of the system's ssh that runs a script as root on the target. What the user's own configuration says of the host
 * (a jump host, a key) stays in force; forwarding, terminals and questions do not.
 */
export function sshArgv(target: SshTarget, trust: HostTrust, script: string): string[] {
  const options = [
    'BatchMode=yes',
    `StrictHostKeyChecking=${trust.kind === 'learn' ? 'accept-new' : 'yes'}`,
    ...trustOptions(trust),
    'UpdateHostKeys=no',
    'ConnectTimeout=15',
    'ServerAliveInterval=10',
    'ServerAliveCountMax=3',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'PermitLocalCommand=no',
    'ControlPath=none',
    'LogLevel=ERROR',
  ];
  // Not by `-i`, which takes tokens in the name as well, and cannot be told that one is none.
  const identity =
    target.identityFile === undefined
      ? []
      : ['-o', `IdentityFile=${fileValue(target.identityFile)}`, '-o', 'IdentitiesOnly=yes'];
  return [
    ...['ssh', '-T'],
    ...options.flatMap((option) => ['-o', option]),
    ...['-p', String(target.port), '-l', target.user, ...identity, '--', target.host],
    remoteCommand(target.user, script),
  ];
}

/** Users other than root go through sudo, which must not ask. The connection's ends are handed on: sudo hides them. */
export function remoteCommand(user: string, script: string): string {
  const sudo = user === 'root' ? '' : 'sudo -n ';
  return `exec ${sudo}sh -c ${shellQuote(script)} silver-install "$SSH_CONNECTION"`;
}

/**
 * Runs the script of so many bytes that comes first on standard input, and leaves the rest of that to it. One line: a login shell may be
 * csh, which has no way to quote the end of a line.
 */
export function scriptFromInput(bytes: number): string {
  return `eval "$(head -c ${bytes})"`;
}

/** Lines of a known_hosts file for keys such as `ssh-ed25519 AAAA...`. */
export function knownHostsText(alias: string, keys: readonly string[]): string {
  return keys.map((key) => `${alias} ${keyFields(key)}\n`).join('');
}

/** The keys of known_hosts lines: type and key, without names, markers and comments. */
export function keysOfKnownHosts(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#') && !line.startsWith('@'))
    .map((line) => keyFields(line.trim().split(/\s+/).slice(1).join(' ')));
}

/** How ssh and ssh-keygen name the host in known_hosts. */
export function knownHostName({ host, port }: Pick<SshTarget, 'host' | 'port'>): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

function keyFields(key: string): string {
  return key.trim().split(/\s+/).slice(0, 2).join(' ');
}

function trustOptions(trust: HostTrust): string[] {
  if (trust.knownHosts === undefined) return [];
  const file = `UserKnownHostsFile=${fileValue(trust.knownHosts)}`;
  if (trust.kind === 'known') return [file];
  return [
    file,
    'GlobalKnownHostsFile=/dev/null',
    // Addresses are given to other machines in time; the key belongs to the node.
    `HostKeyAlias=${trust.alias}`,
    'CheckHostIP=no',
    'HashKnownHosts=no',
    'VerifyHostKeyDNS=no',
  ];
}

/** One file in an option of ssh_config(5), which takes several between blanks or has tokens such as `%h`. */
function fileValue(path: string): string {
  return `"${path.replaceAll(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`;
}
