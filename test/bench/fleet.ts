/** The nodes that all tools deploy to: app servers of one set, made by `sl up`, and prepared for the other tools. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '@silverlining/system';
import { findDirectories } from '../../packages/controller/src/io/directories.ts';
import { LocalProvider, LocalSite } from '../../packages/controller/src/io/provider/index.ts';
import { readNetwork } from '../../packages/controller/src/io/provider/local-network.ts';
import type { ProviderNode } from '../../packages/controller/src/ports.ts';
import type { MeteredNode } from './meter.ts';

export interface Fleet {
  nodes: readonly MeteredNode[];
  /** This machine's address as nodes see it. */
  hostAddress: string;
  /** Files for tools that use SSH: addresses one a line, the client's configuration, the key, the known hosts. */
  hosts: string;
  sshConfig: string;
  /** The client's configuration without what makes it quicker. */
  sshDefaults: string;
  identity: string;
  knownHosts: string;
  /** Runs shell text as root on all nodes at once; the outputs in the order of the nodes. */
  shell(script: string, signal: AbortSignal): Promise<string[]>;
}

/** The nodes of a set that is up, and how SSH reaches them. Files go to `dir`. */
export async function findFleet(set: string, dir: string): Promise<Fleet> {
  const directories = findDirectories();
  const found = await new LocalProvider(new LocalSite(directories)).list(set, AbortSignal.timeout(30_000));
  const network = await readNetwork(join(directories.state, 'local/network.json'));
  const nodes = found.map(({ id, name, address }) => ({ uuid: id, name, address }));
  return { nodes, hostAddress: network?.hostAddress ?? '', ...(await sshAccess(found, dir)) };
}

export type SshAccess = Omit<Fleet, 'nodes' | 'hostAddress'>;

/** What SSH needs to reach the nodes, as it is by default, and with one connection to each that is kept open. */
export async function sshAccess(nodes: readonly ProviderNode[], dir: string): Promise<SshAccess> {
  await mkdir(join(dir, 'c'), { recursive: true, mode: 0o700 });
  const at = (name: string) => join(dir, name);
  const files = {
    hosts: at('hosts'),
    sshConfig: at('ssh_config'),
    sshDefaults: at('ssh_defaults'),
    knownHosts: at('known_hosts'),
  };
  const identity = nodes[0]?.ssh.identityFile ?? '';
  const keys = nodes.flatMap(({ address, ssh }) => (ssh.hostKeys ?? []).map((key) => `${address} ${key}`));
  await writeFile(files.knownHosts, lines(keys));
  await writeFile(files.hosts, lines(nodes.map((node) => node.address)));
  const access = [
    'Host *',
    '  User root',
    `  IdentityFile ${identity}`,
    '  IdentitiesOnly yes',
    '  BatchMode yes',
    `  UserKnownHostsFile ${files.knownHosts}`,
  ];
  const quicker = [
    '  ControlMaster auto',
    `  ControlPath ${dir}/c/%C`,
    '  ControlPersist 30m',
    '  Compression no',
    '  Ciphers aes128-gcm@openssh.com',
  ];
  await writeFile(files.sshDefaults, lines(access));
  await writeFile(files.sshConfig, lines([...access, ...quicker]));
  const on = async (address: string, script: string, signal: AbortSignal) =>
    (
      await exec(plainSsh(files.sshConfig, address), {
        signal,
        input: inFunction(script),
        deadline: 15 * 60_000,
        maxOutput: 1 << 24,
      })
    ).stdout;
  return {
    ...files,
    identity,
    shell: (script, signal) => Promise.all(nodes.map(({ address }) => on(address, script, signal))),
  };
}

/** A connection of its own: one that is kept open would be in this process's control group, and hold its output. */
function plainSsh(config: string, address: string): string[] {
  return ['ssh', '-F', config, '-o', 'ControlMaster=no', '-o', 'ControlPath=none', '--', address, 'sh'];
}

/** Read whole before any of it runs: a command in it that reads its input does not eat the rest. */
function inFunction(script: string): string {
  return `work() {\n${script}\n}\nwork < /dev/null\n`;
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}

const SITE = (name: string) => `<VirtualHost *:80>
  ServerName ${name}.bench.test
  DocumentRoot /var/www/${name}/current
  <Directory /var/www/${name}>
    Require all granted
  </Directory>
</VirtualHost>
`;

/**
 * Installs what the other tools need on nodes, and lets the Apache that is there serve what they deploy, each at a host
 * name of its own.
 */
export async function prepareForPeers(fleet: Fleet, peers: readonly string[], signal: AbortSignal): Promise<void> {
  const script = `set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends rsync git python3
mkdir -p ${peers.map((name) => `/var/www/${name}/releases`).join(' ')}
cat > /etc/apache2/sites-enabled/zz-bench.conf <<'END'
${peers.map(SITE).join('')}END
apachectl -t
systemctl reload apache2
`;
  await fleet.shell(script, signal);
}
