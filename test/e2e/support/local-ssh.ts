/** SSH to local nodes, by nothing but what the provider tells of them. */
import { hostCommand } from '../../../packages/controller/src/io/host-packages.ts';
import type { ProviderNode } from '../../../packages/controller/src/ports.ts';

/** Runs a command on a local node as its provider says that it is to be reached. */
export function ssh(node: ProviderNode, ...command: string[]) {
  return hostCommand(sshArgv(node, command));
}

function sshArgv(node: ProviderNode, command: readonly string[]): string[] {
  const { identityFile = '', user } = node.ssh;
  const options = ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ConnectTimeout=5', 'LogLevel=ERROR'];
  const known = `KnownHostsCommand=/bin/echo ${node.address} ${node.ssh.hostKeys?.[0] ?? ''}`;
  const flags = [...options, known, 'UserKnownHostsFile=/dev/null'].flatMap((option) => ['-o', option]);
  return ['ssh', '-i', identityFile, ...flags, '-l', user, '--', node.address, ...command];
}

/** Another one after each boot. */
export async function bootId(node: ProviderNode): Promise<string> {
  // A session with a node that goes down meanwhile is never told of its end.
  const deadline = 5_000;
  return (await hostCommand(sshArgv(node, ['cat', '/proc/sys/kernel/random/boot_id']), { deadline })).stdout;
}
