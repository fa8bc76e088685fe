import { expect, it } from 'vitest';
import { RemoteEnded } from './remote-script.ts';
import { sshError } from './ssh-error.ts';

const ssh = { host: '10.0.0.5', port: 22, user: 'ada', identityFile: undefined };
const identity = { uuid: 'u1', set: 'shop', name: 'app1', certGeneration: 1, controllerUrl: undefined };
const request = { ...identity, ssh, pinnedHostKeys: [], learnHostKey: false };

it.each([
  ['was not let in', false, /may not use sudo without a password/],
  ['ran already', true, /the SSH session ended: .*closed by remote host.* run it again/],
])('a script that %s ended for what is said then', async (_name, ran, message) => {
  const stderr =
    'sudo: unable to resolve host app1: Name or service not known\r\nConnection closed by remote host.\r\n';
  const error = await sshError(new RemoteEnded(stderr, 255, ran), request, { kind: 'known', knownHosts: undefined });
  expect(error.message).toMatch(message);
});
