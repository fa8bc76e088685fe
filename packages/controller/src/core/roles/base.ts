/** What every node of a set has, whatever it is for. */
import type { ResourceInput } from '@silverlining/protocol';
import { nodeHostsLines } from '../hosts-lines.ts';
import type { OsFacts, RoleContext, RoleParts } from './context.ts';
import { FIREWALL_UNIT } from './firewall.ts';
import { nodeWord } from './words.ts';

/** The kernel takes no longer host name. */
const HOSTNAME_MAX = 64;

export function base(context: RoleContext): RoleParts {
  const { os } = context;
  return {
    packages: ['ca-certificates', 'logrotate', 'nftables', 'unattended-upgrades'],
    resources: [
      { type: 'hostname', name: hostname(context.node.name) },
      hostsBlock(context),
      { type: 'user', name: 'www-mgr' },
      ...DIRECTORIES,
      ...journal(),
      { type: 'file', path: '/etc/apt/apt.conf.d/52silverlining', content: upgradesText(os) },
      timeSync(),
    ],
    // Agents of other sets of the controller come from who knows where.
    openings: [...sshPorts(context), ...context.agentPorts].map((port) => ({ port, from: 'anywhere' as const })),
    watch: [FIREWALL_UNIT],
  };
}

const DIRECTORIES: ResourceInput[] = [
  { type: 'directory', path: '/etc/silverlining' },
  { type: 'directory', path: '/var/lib/silverlining' },
  { type: 'directory', path: '/var/lib/silverlining/agent', mode: 0o700 },
  { type: 'directory', path: '/var/log/silverlining' },
];

/** Where sshd listens: the firewall must never lock out whoever looks after a machine that was there before the set. */
function sshPorts({ set, node }: RoleContext): number[] {
  const { port = '22', hosts = '' } = set.provider.options;
  const line = lineOf(hosts, node.name);
  const own = /\sport=(\d+)/.exec(line ?? '')?.[1];
  return [...new Set([22, Number(port), Number(own ?? port)])].filter((it) => it > 0 && it < 65_536);
}

/** The line that begins with the word, found without cutting up the lines of thousands of others. */
function lineOf(text: string, word: string): string | undefined {
  const spaced = `\n${text}\n`;
  for (let at = spaced.indexOf(word); at !== -1; at = spaced.indexOf(word, at + 1)) {
    const start = spaced.lastIndexOf('\n', at) + 1;
    const line = spaced.slice(start, spaced.indexOf('\n', at)).trim();
    if (line.split(/\s+/)[0] === word) return line;
  }
  return undefined;
}

function hostname(name: string): string {
  const full = nodeWord(name);
  return full.length <= HOSTNAME_MAX ? full : (full.split('.')[0] ?? full);
}

/** Without set_etc_hosts the block is empty: that takes out lines of an earlier run and touches no file without them. */
function hostsBlock({ topology }: RoleContext): ResourceInput {
  const lines = topology.setEtcHosts ? nodeHostsLines(topology) : [];
  return { type: 'block', path: '/etc/hosts', name: 'nodes', content: lines.map((it) => `${it}\n`).join('') };
}

function journal(): ResourceInput[] {
  return [
    {
      type: 'file',
      path: '/etc/systemd/journald.conf.d/50-silverlining.conf',
      content: '[Journal]\nStorage=persistent\nSystemMaxUse=500M\nSystemKeepFree=1G\nMaxRetentionSec=1month\n',
      notify: [{ unit: 'systemd-journald.service', action: 'restart' }],
    },
  ];
}

/**
 * Security updates by themselves, nothing else, never a reboot. The two dpkg options keep our versions of files that
 * belong to packages: without them an update of such a package would be put off for ever.
 */
function upgradesText({ id }: OsFacts): string {
  const origins = {
    debian: `origin=Debian,codename=\${distro_codename}-security,label=Debian-Security`,
    ubuntu: `origin=Ubuntu,archive=\${distro_codename}-security,label=Ubuntu`,
  };
  return `// Written by Silver Lining; changes are overwritten.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
#clear Unattended-Upgrade::Allowed-Origins;
#clear Unattended-Upgrade::Origins-Pattern;
Unattended-Upgrade::Origins-Pattern { "${origins[id]}"; };
Unattended-Upgrade::Automatic-Reboot "false";
Dpkg::Options { "--force-confdef"; "--force-confold"; };
`;
}

/** A retry comes at once: apt 2.6 never wakes up for one that it puts off. */
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries::Delay=false'];

/**
 * The distributions' images bring one of several, which all provide `time-daemon`, and installing another would remove it.
 * No unit is asked to run: in containers the clock is the host's and the unit's condition keeps it off.
 */
function timeSync(): ResourceInput {
  return {
    type: 'command',
    argv: ['apt-get', '-q', '-y', ...APT_OPTIONS, 'install', 'systemd-timesyncd'],
    unlessInstalled: 'time-daemon',
  };
}
