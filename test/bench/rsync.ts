/** rsync with hard links to all nodes at once, and a link that is switched: what a good deploy script does. */
import { join } from 'node:path';
import type { Contender } from './contender.ts';
import { PEER_FILES, type PeerInput, peerContender, rootOf } from './peers.ts';

const OPTIONS: Record<string, string> = {
  plain: '--no-compress',
  zstd: '--compress --compress-choice=zstd --compress-level=1',
};

const HOW = '`rsync --archive --delete --link-dest` to all nodes at once, then `mv -T` of a link on all of them';

export function rsync(input: PeerInput): Contender {
  const { fleet, site, isTuned } = input;
  const command = (verb: string, variant: string) => ({
    argv: ['sh', join(PEER_FILES, 'rsync-deploy.sh'), verb],
    env: {
      HOSTS: fleet.hosts,
      SSH_CONFIG: isTuned ? fleet.sshConfig : fleet.sshDefaults,
      SOURCE: site.dir,
      ROOT: rootOf(input.name),
      RSYNC_OPTIONS: OPTIONS[variant] ?? '',
    },
  });
  return peerContender(input, {
    title: 'rsync',
    variants: isTuned ? Object.keys(OPTIONS) : ['plain'],
    how: isTuned
      ? `${HOW}; one SSH connection to each node that is kept open (\`ControlMaster\`), with the quickest cipher.`
      : `${HOW}; SSH as it is by default, with a connection for each of the two commands.`,
    deploy: (variant) => command('deploy', variant),
    rollback: (variant) => command('rollback', variant),
  });
}
