/** rsync with hard links to all nodes at once, and a link that is switched: what a good deploy script does. */
import { join } from 'node:path';
import type { Contender } from './contender.ts';
import { PEER_FILES, type PeerInput, peerContender, rootOf } from './peers.ts';

const OPTIONS: Record<string, string> = {
  plain: '--no-compress',
  zstd: '--compress --compress-choice=zstd --compress-level=1',
};

export function rsync(input: PeerInput): Contender {
  const { fleet, site } = input;
  const command = (verb: string, variant: string) => ({
    argv: ['sh', join(PEER_FILES, 'rsync-deploy.sh'), verb],
    env: {
      HOSTS: fleet.hosts,
      SSH_CONFIG: fleet.sshConfig,
      SOURCE: site.dir,
      ROOT: rootOf('rsync'),
      RSYNC_OPTIONS: OPTIONS[variant] ?? '',
    },
  });
  return peerContender(input, {
    name: 'rsync',
    title: 'rsync',
    variants: Object.keys(OPTIONS),
    how: '`rsync --archive --delete --link-dest` to all nodes at once, then `mv -T` of a link on all of them; one SSH connection to each node that is kept open (`ControlMaster`).',
    deploy: (variant) => command('deploy', variant),
    rollback: (variant) => command('rollback', variant),
  });
}
