/** Capistrano: from a Git repository, as it does by itself, or by an archive that is uploaded to all nodes. */
import { cp, mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { exec } from '@silverlining/system';
import type { Contender, Operation } from './contender.ts';
import { PEER_FILES, type PeerInput, peerContender, rootOf } from './peers.ts';

/** For one large file Git is not what anyone would choose. */
const VARIANTS = ['git', 'copy', 'copy-gzip'];

export function capistrano(input: PeerInput): Contender {
  const { fleet, site, scratch, tool, signal } = input;
  const repository = join(scratch, 'site.git');
  const git = (...args: string[]) =>
    exec(['git', `--git-dir=${repository}`, `--work-tree=${site.dir}`, ...args], { signal, deadline: 600_000 });
  let port = 0;
  const command = (task: string, variant: string) => ({
    argv: ['cap', 'bench', task],
    cwd: join(scratch, 'project'),
    env: {
      SERVERS: fleet.hosts,
      IDENTITY: fleet.identity,
      KNOWN_HOSTS: fleet.knownHosts,
      SOURCE: site.dir,
      SCRATCH: scratch,
      ROOT: rootOf(input.name),
      STRATEGY: variant,
      REPOSITORY: `git://${fleet.hostAddress}:${port}/site.git`,
    },
  });
  return peerContender(input, {
    title: 'Capistrano',
    variants: VARIANTS.filter((it) => it !== 'git' || site.shape.name !== 'large'),
    how: 'all nodes in parallel. `git`: a shallow fetch from a Git server on this machine, the commit itself not counted; `copy`: one archive, uploaded to all nodes and unpacked there.',
    deploy: (variant) => command('deploy', variant),
    rollback: (variant) => command('deploy:rollback', variant),
    begin: async () => {
      await rm(scratch, { recursive: true, force: true });
      await mkdir(scratch, { recursive: true });
      await cp(join(PEER_FILES, 'capistrano'), join(scratch, 'project'), { recursive: true });
      await exec(['git', 'init', '--quiet', '--bare', '--initial-branch=main', repository], { signal });
      await git('config', 'core.bare', 'false');
      port = await freePort(fleet.hostAddress);
      const serve = ['git', 'daemon', '--detach', '--export-all', `--base-path=${scratch}`, '--reuseaddr'];
      await tool.run({ argv: [...serve, `--listen=${fleet.hostAddress}`, `--port=${port}`] }, signal);
      await untilListening(fleet.hostAddress, port);
    },
    before: async (operation: Operation, variant: string) => {
      if (variant !== 'git' || (operation !== 'full' && operation !== 'change')) return;
      await git('add', '--all');
      await git('-c', 'user.name=bench', '-c', 'user.email=bench@bench.test', 'commit', '--quiet', '--message=release');
    },
  });
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen({ host, port: 0 }, done));
  const address = server.address();
  await new Promise<void>((done) => server.close(() => done()));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function untilListening(host: string, port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { exitCode } = await exec(['git', 'ls-remote', `git://${host}:${port}/site.git`], { allowExit: 'any' });
    if (exitCode === 0) return;
    await sleep(100);
  }
  throw new Error(`no Git server at ${host}:${port}`);
}
