import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { sshArgv } from '../../core/bootstrap/ssh-argv.ts';
import { RemoteEnded } from './remote-script.ts';
import { sshError } from './ssh-error.ts';

it.each(['/srv/known_hosts', '/srv/my set/known_hosts', '/srv/100%/%h known', '/srv/"q" \'s\\t'])(
  'ssh takes %s for the file of known hosts',
  (knownHosts) => {
    const target = { host: 'app1.example', port: 22, user: 'root', identityFile: undefined };
    const [ssh = '', ...args] = sshArgv(target, { kind: 'known', knownHosts }, 'true');
    const settings = execFileSync(ssh, ['-G', ...args], { encoding: 'utf8' }).split('\n');
    expect(settings).toContain(`userknownhostsfile ${knownHosts}`);
  },
);

it.each([
  ['No ED25519 host key is known for app1 and you have requested strict checking.', ">> '/srv/it'\\''s/known'"],
  ['@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @', "ssh-keygen -f '/srv/it'\\''s/known' -R '[127.0.0.1]:1'"],
])('the command that helps with "%s" may be given to a shell', async (stderr, command) => {
  const trust = { kind: 'known', knownHosts: "/srv/it's/known" } as const;
  const ssh = { host: '127.0.0.1', port: 1, user: 'root', identityFile: undefined };
  const request = { uuid: 'u1', set: 'shop', name: 'app1', ssh, pinnedHostKeys: [], learnHostKey: false };
  const error = await sshError(
    new RemoteEnded(stderr, 255),
    { ...request, certGeneration: 1, controllerUrl: undefined },
    trust,
  );
  expect(error).toMatchObject({ code: 'E_SSH', message: expect.stringContaining(command) });
});
