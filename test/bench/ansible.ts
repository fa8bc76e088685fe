/** Ansible: `synchronize` with hard links, and a link that is switched. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command, Contender } from './contender.ts';
import { PEER_FILES, type PeerInput, peerContender, rootOf } from './peers.ts';

export interface AnsibleOptions {
  scratch: string;
  sshConfig: string;
  addresses: readonly string[];
  /** Configured for speed; otherwise as Ansible is when it was just installed. */
  isTuned: boolean;
}

/** Writes inventory and configuration, and returns what runs a playbook with them. */
export async function ansibleProject({ scratch, sshConfig, addresses, isTuned }: AnsibleOptions) {
  await mkdir(scratch, { recursive: true });
  await writeFile(join(scratch, 'hosts'), `[app]\n${addresses.join('\n')}\n`);
  await writeFile(
    join(scratch, 'ansible.cfg'),
    `[defaults]
inventory = ${scratch}/hosts
${isTuned ? `forks = ${Math.max(10, addresses.length)}\ngathering = explicit` : ''}
interpreter_python = /usr/bin/python3
host_key_checking = true
remote_user = root
local_tmp = ${scratch}/tmp
[ssh_connection]
${isTuned ? `ssh_args = -F ${sshConfig}\npipelining = true` : `ssh_common_args = -F ${sshConfig}`}
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

const HOW = '`ansible.posix.synchronize` with `link_dest`, then `file: state=link`';

export function ansible(input: PeerInput): Contender {
  const { fleet, site, scratch, isTuned } = input;
  const root = rootOf(input.name);
  return peerContender(input, {
    title: 'Ansible',
    variants: isTuned ? Object.keys(COMPRESS) : ['zlib'],
    how: isTuned
      ? `${HOW}; forks for all nodes, pipelining, no fact gathering, one SSH connection to each node that is kept open (\`ControlMaster\`), with the quickest cipher.`
      : `${HOW}; five forks, facts gathered, files compressed, SSH connections kept for a minute, as it comes.`,
    deploy: (variant) => playbook(scratch, 'deploy.yml', { source: site.dir, root, compress: COMPRESS[variant] }),
    rollback: () => playbook(scratch, 'rollback.yml', { root }),
    begin: () =>
      ansibleProject({
        scratch,
        sshConfig: isTuned ? fleet.sshConfig : fleet.sshDefaults,
        addresses: fleet.nodes.map(({ address }) => address),
        isTuned,
      }),
  });
}
