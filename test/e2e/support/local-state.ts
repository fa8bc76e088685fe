import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Directories, findDirectories } from '../../../packages/controller/src/io/directories.ts';
import { hostCommand } from '../../../packages/controller/src/io/host-packages.ts';
import { LocalProvider, type LocalProviderOptions } from '../../../packages/controller/src/io/provider/local.ts';
import type { LocalNetwork } from '../../../packages/controller/src/io/provider/local-network.ts';
import { LocalSite } from '../../../packages/controller/src/io/provider/local-site.ts';

const PREFIX = 'sl-state-';

/** A state directory of its own, with images and packages from the cache that all share. */
export interface LocalState {
  directories: Directories;
  provider: LocalProvider;
  /** Destroys all nodes in it, whatever state they are in, and the directory. */
  remove(): Promise<void>;
}

export async function makeLocalState(options: LocalProviderOptions = {}): Promise<LocalState> {
  const state = await mkdtemp(join(tmpdir(), PREFIX));
  const directories = { state, cache: findDirectories().cache };
  const provider = new LocalProvider(new LocalSite(directories), options);
  const remove = async () => {
    await destroyNodes(provider, state);
    await rm(state, { recursive: true });
  };
  return { directories, provider, remove };
}

/** Takes away everything in a temporary folder, nodes and mounts included, that tests left which did not come to their end. */
export async function clearTemporary(folder: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((it) => it.startsWith(PREFIX))) {
    const state = join(folder, name);
    await destroyNodes(new LocalProvider(new LocalSite({ state, cache: findDirectories().cache })), state);
  }
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((it) => it.startsWith(`${folder}/`)).reverse())
    await hostCommand(['umount', mount]);
  await rm(folder, { recursive: true });
}

/** Destroys all local nodes of a state directory, whatever state they are in, and their network. */
export async function destroyNodes(provider: LocalProvider, state: string): Promise<void> {
  const signal = AbortSignal.timeout(120_000);
  const ids = await readdir(join(state, 'local/nodes')).catch(() => []);
  const outcomes = await Promise.allSettled(ids.map((id) => provider.destroy(id, signal)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  await provider.cleanUp('any', signal);
}

export interface Traces {
  uuids: readonly string[];
  state: string;
  /** As it was before it was removed. */
  network: LocalNetwork | undefined;
}

/** Everything that the nodes and their network have outside the state directory, as lines to compare. */
export async function hostTraces({ uuids, state, network }: Traces): Promise<string[]> {
  const own = (text: string) => uuids.some((uuid) => text.includes(uuid) || text.includes(uuid.slice(-12)));
  const ofNetwork = (text: string) =>
    network !== undefined && (text.includes(network.bridge) || text.includes(network.subnet));
  const links = (await hostCommand(['ip', '-oneline', 'link'])).stdout.split('\n');
  const routes = (await hostCommand(['ip', 'route', 'show', 'table', 'all'])).stdout.split('\n');
  const namespaces = (await hostCommand(['ip', 'netns'])).stdout.split('\n');
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  const runtime = await readdir('/run/systemd/nspawn/propagate').catch(() => []);
  return [
    ...[...links, ...routes, ...namespaces].filter((line) => own(line) || ofNetwork(line)),
    ...mounts.filter((line) => line.includes(state)),
    ...runtime.filter(own),
    ...(await processesWith([state, ...uuids])),
    ...(await controlGroupsOf(uuids)),
  ].sort();
}

/** Processes, this one aside, whose command line or control group names one of the texts. The dead are not counted. */
async function processesWith(texts: readonly string[]): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      const dead = /^State:\s+[ZX]/m.test(await read('status'));
      return dead ? '' : `${(await read('cmdline')).replaceAll('\0', ' ')} ${await read('cgroup')}`;
    }),
  );
  return lines.filter((line) => texts.some((text) => line.includes(text)));
}

async function controlGroupsOf(uuids: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const root of ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd']) {
    const names = await readdir(join(root, 'silverlining')).catch(() => []);
    found.push(...names.filter((name) => uuids.includes(name)).map((name) => join(root, name)));
  }
  return found;
}
