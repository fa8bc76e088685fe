import { describe, expect, it } from 'vitest';
import {
  agentConfigText,
  currentLinks,
  defaultControllerUrl,
  hostAndPort,
  parseFacts,
  runtimePath,
} from './install-plan.ts';
import { shellQuote } from './shell-quote.ts';
import {
  type HostTrust,
  keysOfKnownHosts,
  knownHostName,
  knownHostsText,
  remoteCommand,
  scriptFromInput,
  sshArgv,
} from './ssh-argv.ts';
import { offeredFingerprint, sshFailure } from './ssh-failure.ts';

const target = { host: '10.0.0.5', port: 2222, user: 'root', identityFile: '/home/ada/.ssh/id' };
const pinned: HostTrust = { kind: 'pinned', knownHosts: '/tmp/x/known_hosts', alias: 'silver-u1' };

describe('ssh argv', () => {
  it('has the host after --, asks nothing and believes pinned keys only', () => {
    const argv = sshArgv(target, pinned, 'echo hello');
    expect(argv.slice(-3)).toEqual(['--', '10.0.0.5', `exec sh -c 'echo hello' silver-install "$SSH_CONNECTION"`]);
    expect(argv).toEqual(expect.arrayContaining(['BatchMode=yes', 'StrictHostKeyChecking=yes', '2222']));
    expect(argv).toEqual(
      expect.arrayContaining([
        'UserKnownHostsFile="/tmp/x/known_hosts"',
        'GlobalKnownHostsFile=/dev/null',
        'HostKeyAlias=silver-u1',
      ]),
    );
  });

  it.each([
    ['/home/ada/.ssh/id', 'IdentityFile="/home/ada/.ssh/id"'],
    ['/srv/100% "mine"/id', 'IdentityFile="/srv/100%% \\"mine\\"/id"'],
  ])('signs in with the key of %s alone, whatever ssh would read in its name', (identityFile, option) => {
    const argv = sshArgv({ ...target, identityFile }, pinned, '');
    expect(argv).toEqual(expect.arrayContaining([option, 'IdentitiesOnly=yes']));
    expect(argv).not.toContain('-i');
  });

  it('learns a key only where it is told to', () => {
    expect(sshArgv(target, { ...pinned, kind: 'learn' }, '')).toContain('StrictHostKeyChecking=accept-new');
    const known = sshArgv(target, { kind: 'known', knownHosts: undefined }, '');
    expect(known).toContain('StrictHostKeyChecking=yes');
    expect(known.some((word) => /KnownHostsFile|Alias/.test(word))).toBe(false);
  });

  it('goes through sudo for others than root, with the script quoted', () => {
    expect(remoteCommand('ada', "it's $x")).toBe(`exec sudo -n sh -c 'it'\\''s $x' silver-install "$SSH_CONNECTION"`);
    expect(shellQuote('')).toBe("''");
  });

  it('fits on the one line that csh takes, with the script left to standard input', () => {
    const command = remoteCommand('ada', scriptFromInput(3396));
    expect(command).toBe(`exec sudo -n sh -c 'eval "$(head -c 3396)"' silver-install "$SSH_CONNECTION"`);
  });
});

describe('known hosts', () => {
  it('are written and read as type and key', () => {
    const text = knownHostsText('silver-u1', ['ssh-ed25519 AAAA root@node', 'ssh-rsa BBBB']);
    expect(text).toBe('silver-u1 ssh-ed25519 AAAA\nsilver-u1 ssh-rsa BBBB\n');
    expect(keysOfKnownHosts(`# comment\n@revoked x ssh-rsa CC\n${text}\n`)).toEqual([
      'ssh-ed25519 AAAA',
      'ssh-rsa BBBB',
    ]);
    expect(knownHostName({ host: 'a', port: 22 })).toBe('a');
    expect(knownHostName({ host: 'a', port: 2222 })).toBe('[a]:2222');
  });
});

describe('failures of ssh', () => {
  it.each([
    ['@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key verification failed.\r\n', 'host-key-changed'],
    ['No ED25519 host key is known for a and you have requested strict checking.\r\n', 'host-key-unknown'],
    ['root@a: Permission denied (publickey,password).\r\n', 'denied'],
    ['ssh: connect to host a port 22: Connection refused\r\n', 'unreachable'],
    ['ssh: Could not resolve hostname a: Name or service not known\r\n', 'unreachable'],
    ['sudo: a password is required\n', 'sudo'],
    ['bash: line 1: exec: sudo: not found\n', 'no-sudo'],
    ['client_loop: send disconnect: Broken pipe\r\n', 'other'],
  ])('%s', (stderr, kind) => {
    expect(sshFailure(stderr)).toBe(kind);
  });

  it('show the key that was refused', () => {
    const text = 'The fingerprint for the ED25519 key sent by the remote host is\r\nSHA256:abc+/DEF.\r\nPlease contact';
    expect(offeredFingerprint(text)).toBe('ED25519 SHA256:abc+/DEF');
    expect(offeredFingerprint('nothing')).toBeUndefined();
  });
});

describe('the node', () => {
  it('tells what it is and has', () => {
    const facts = parseFacts(['arch aarch64', 'os debian 12', 'seen fd00::1', `has ${runtimePath('d1')}`]);
    expect(facts).toMatchObject({ arch: 'arm64', os: 'debian 12', seen: 'fd00::1', set: undefined });
    expect(parseFacts(['set shop']).set).toBe('shop');
    expect(facts.has.has(runtimePath('d1'))).toBe(true);
    expect(parseFacts(['arch constructor']).arch).toBeUndefined();
  });

  it('is told where the controller is', () => {
    expect(defaultControllerUrl('10.0.0.1', 7420)).toBe('wss://10.0.0.1:7420');
    expect(hostAndPort(defaultControllerUrl('fd00::1', 7420))).toEqual({ host: 'fd00::1', port: 7420 });
    expect(hostAndPort('wss://sl.example.com')).toEqual({ host: 'sl.example.com', port: 443 });
  });

  it('gets its configuration and the links to what is current', () => {
    const request = {
      ...{ uuid: 'u1', name: 'app1', set: 'demo', certGeneration: 2, ssh: target, pinnedHostKeys: [] },
      ...{ learnHostKey: false, controllerUrl: undefined },
    };
    expect(JSON.parse(agentConfigText(request, 'wss://10.0.0.1:7420', 'server.name'))).toEqual({
      ...{ version: 1, set: 'demo', node: 'app1', uuid: 'u1' },
      ...{ controllerUrl: 'wss://10.0.0.1:7420', serverName: 'server.name' },
    });
    expect(currentLinks({ runtime: 'r', bundle: 'b' }, 2).map(([, to]) => to)).toEqual([
      'runtime/r/node',
      'agent/b/agent.js',
      'identity/2',
    ]);
  });
});
