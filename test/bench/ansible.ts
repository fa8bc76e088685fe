/** Ansible: `synchronize` with hard links, and a link that is switched. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command, Contender } from './contender.ts';
import { PEER_FILES, type PeerInput, peerContender, rootOf } from './peers.ts';

export interface AnsibleOptions {
  scratch: string;
  sshConfig: string;
  addresses: readonly string[];
}

/** Writes inventory and configuration, and returns what runs a playbook with them. */
export async function ansibleProject({ scratch, sshConfig, addresses }: AnsibleOptions) {
  await mkdir(scratch, { recursive: true });
  await writeFile(join(scratch, 'hosts'), `[app]\n${addresses.join('\n')}\n`);
  await writeFile(
    join(scratch, 'ansible.cfg'),
    `[defaults]
inventory = ${scratch}/hosts
forks = ${Math.max(10, addresses.length)}
gathering = explicit
interpreter_python = /usr/bin/python3
host_key_checking = true
remote_user = root
local_tmp = ${scratch}/tmp
[ssh_connection]
ssh_args = -F ${sshConfig}
pipelining = true
`,
  );
}

/** Runs a playbook of `peers/ansible` in a project that was written. */
export function playbook(scratch: string, name: string, variables: Readonly<Record<string, unknown>>): Command {
  return {
    argv: ['ansible-playbook', join(PEER_FILES, 'ansible', name), '--extra-vars', JSON.stringify(variables)],
    cwd: scratch,
    env: { ANSIBLE_CONFIG: join(scratch, 'ansible.cfg'), LC_ALL: 'C.UTF-8', ANSIBLE_NOCOLOR: '1' },
  };
}

const COMPRESS: Record<string, boolean> = { plain: false, zlib: true };

export function ansible(input: PeerInput): Contender {
  const { fleet, site, scratch } = input;
  const root = rootOf('ansible');
  return peerContender(input, {
    name: 'ansible',
    title: 'Ansible',
    variants: Object.keys(COMPRESS),
    how: '`ansible.posix.synchronize` with `link_dest`, then `file: state=link`; forks for all nodes, pipelining, no fact gathering, one SSH connection to each node that is kept open (`ControlMaster`).',
    deploy: (variant) => playbook(scratch, 'deploy.yml', { source: site.dir, root, compress: COMPRESS[variant] }),
    rollback: () => playbook(scratch, 'rollback.yml', { root }),
    begin: () =>
      ansibleProject({ scratch, sshConfig: fleet.sshConfig, addresses: fleet.nodes.map(({ address }) => address) }),
  });
}
