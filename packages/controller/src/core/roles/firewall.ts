/** The node's firewall: one nftables table of our own, so that other tables are never touched. */
import type { ResourceInput } from '@silverlining/protocol';
import type { Opening } from './context.ts';
import { addressWord, isIPv6 } from './words.ts';

const FILE = '/etc/silverlining/firewall.nft';
export const FIREWALL_UNIT = 'silver-firewall.service';

/** The ruleset, its unit, and their order: the file is checked by nft before it replaces the one in force. */
export function firewallResources(openings: readonly Opening[]): ResourceInput[] {
  const notify = [{ unit: FIREWALL_UNIT, action: 'reload' as const, check: ['nft', '-c', '-f', FILE] }];
  return [
    { type: 'file', path: FILE, content: firewallText(openings), notify },
    { type: 'file', path: `/etc/systemd/system/${FIREWALL_UNIT}`, content: UNIT },
    { type: 'file', path: '/etc/systemd/system/nftables.service.d/silverlining.conf', content: AFTER_FLUSH },
    { type: 'unit', name: FIREWALL_UNIT, enabled: true, running: true },
  ];
}

/**
 * Adding, deleting and defining the table in one file makes its replacement one transaction: no moment is open or shut.
 * 1 and 58 are ICMP and ICMPv6, by number since their names are in a package that a node need not have.
 */
export function firewallText(openings: readonly Opening[]): string {
  const rules = mergeOpenings(openings).flatMap((it) => ruleLines(it));
  return `# Written by Silver Lining; changes are overwritten.
table inet silverlining
delete table inet silverlining
table inet silverlining {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iifname "lo" accept
    meta l4proto { 1, 58 } accept
    udp sport 67 udp dport 68 accept
    ip6 saddr fe80::/10 udp dport 546 accept
${rules.map((it) => `    ${it}\n`).join('')}  }
}
`;
}

/** One opening a port, ports in order; `anywhere` swallows addresses. */
export function mergeOpenings(openings: readonly Opening[]): Opening[] {
  const ports = [...new Set(openings.map((it) => it.port))].sort((a, b) => a - b);
  return ports.map((port) => {
    const from = openings.filter((it) => it.port === port).map((it) => it.from);
    const addresses = from.flatMap((it) => (it === 'anywhere' ? [] : it));
    return { port, from: from.includes('anywhere') ? 'anywhere' : [...new Set(addresses)].sort() };
  });
}

function ruleLines({ port, from }: Opening): string[] {
  if (from === 'anywhere') return [`tcp dport ${port} accept`];
  const addresses = from.map((it) => addressWord(it));
  return [
    ...familyRule(
      'ip',
      port,
      addresses.filter((it) => !isIPv6(it)),
    ),
    ...familyRule(
      'ip6',
      port,
      addresses.filter((it) => isIPv6(it)),
    ),
  ];
}

function familyRule(family: 'ip' | 'ip6', port: number, addresses: readonly string[]): string[] {
  return addresses.length === 0 ? [] : [`${family} saddr { ${addresses.join(', ')} } tcp dport ${port} accept`];
}

// nftables.service of the distribution empties all tables, those of others as well, when it starts, is reloaded and stops: at boot ours
// comes after it, and later it brings ours back.
const AFTER_FLUSH = `[Service]
ExecStartPost=-/usr/sbin/nft -f ${FILE}
ExecReload=-/usr/sbin/nft -f ${FILE}
ExecStopPost=-/usr/sbin/nft -f ${FILE}
`;
const UNIT = `[Unit]
Description=Silver Lining firewall
DefaultDependencies=no
After=local-fs.target systemd-modules-load.service nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f ${FILE}
ExecReload=/usr/sbin/nft -f ${FILE}
ExecStop=/usr/sbin/nft delete table inet silverlining

[Install]
WantedBy=sysinit.target
`;
