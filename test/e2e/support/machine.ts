/** This machine, for a runner that starts nodes: what it needs, and a state of its own that is cleared before and after. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { LOCAL_IMAGES } from '../../../packages/controller/src/core/local-images.ts';
import { findDirectories, makeDirectories } from '../../../packages/controller/src/io/directories.ts';
import {
  type HostNeed,
  installHostPackages,
  missingHostPackages,
} from '../../../packages/controller/src/io/host-packages.ts';
import { LocalProvider, LocalSite } from '../../../packages/controller/src/io/provider/index.ts';
import { ensureImage } from '../../../packages/controller/src/io/provider/local-image.ts';
import { readNodes } from '../../../packages/controller/src/io/provider/local-node-record.ts';
import { openStore } from '../../../packages/controller/src/io/store/store.ts';
import { createWorkstationHosts } from '../../../packages/controller/src/io/workstation-hosts.ts';
import { clearTemporary, destroyNodes, makeLocalState } from './local-state.ts';
import { endProcesses, markProcesses } from './run-processes.ts';
import { sl } from './sl.ts';

/** From here on `sl` and all else use `base/state`, `base/cache` and `base/tmp`. */
export async function useState(base: string): Promise<void> {
  process.env.XDG_STATE_HOME = join(base, 'state');
  process.env.XDG_CACHE_HOME = join(base, 'cache');
  process.env.TMPDIR = join(base, 'tmp');
  markProcesses(base);
  await makeDirectories(findDirectories());
  // Maintainer scripts of packages that are installed next need it.
  await mkdir(tmpdir(), { recursive: true });
}

/** Nothing of a run that used this state is running or left, however it ended. */
export async function clearRun(base: string): Promise<void> {
  await endProcesses(base);
  await clearTemporary(tmpdir());
  await clearState();
  await mkdir(tmpdir());
}

/** Installs Debian packages that this machine lacks, with a word: what local nodes need, or `needs`. */
export async function installPackages(
  who: string,
  say: (text: string) => void,
  needs?: readonly HostNeed[],
): Promise<void> {
  const missing = await missingHostPackages(needs);
  if (missing.length === 0) return;
  say(`${who} need ${missing.join(', ')}: installing`);
  await installHostPackages(say, AbortSignal.timeout(15 * 60_000), needs);
}

/** Each takes a core for a minute or two: they are built side by side, into the cache of all states. */
export async function buildImages(): Promise<void> {
  const { directories, remove } = await makeLocalState();
  const place = { cache: directories.cache, images: join(directories.state, 'images') };
  const work = { report: () => undefined, signal: AbortSignal.timeout(15 * 60_000) };
  await Promise.all(LOCAL_IMAGES.map(({ id }) => ensureImage({ name: id, ...place, ...work })));
  await remove();
}

/** Ends the controller and destroys every node of this state, however they were left. */
export async function clearState(): Promise<void> {
  await sl(['controller', 'stop', '--force']);
  const directories = findDirectories();
  await clearHosts(directories.state);
  await destroyNodes(new LocalProvider(new LocalSite(directories)), directories.state);
  await rm(directories.state, { recursive: true, force: true });
  await makeDirectories(directories);
}

/** Takes the sets of the state out of this machine's /etc/hosts. */
async function clearHosts(state: string): Promise<void> {
  const hosts = createWorkstationHosts();
  for (const set of new Set([...(await setsInStore(join(state, 'store.sqlite'))), ...(await setsOfNodes(state))])) {
    await hosts.write(set, []);
  }
}

async function setsInStore(file: string): Promise<string[]> {
  if (!existsSync(file)) return [];
  try {
    const store = openStore(file);
    const sets = await store.sets();
    await store.close();
    return sets.map(({ name }) => name);
  } catch (error) {
    // A test may have damaged it; most sets have nodes that know whose they are.
    if (error instanceof SlError) return [];
    throw error;
  }
}

async function setsOfNodes(state: string): Promise<string[]> {
  return (await readNodes(join(state, 'local/nodes'))).map(({ set }) => set);
}
