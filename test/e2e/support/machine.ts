/** This machine, for a runner that starts nodes: what it needs, and a state of its own that is cleared before and after. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findDirectories, makeDirectories } from '../../../packages/controller/src/io/directories.ts';
import {
  type HostNeed,
  installHostPackages,
  missingHostPackages,
} from '../../../packages/controller/src/io/host-packages.ts';
import { LocalProvider } from '../../../packages/controller/src/io/provider/local.ts';
import { sl } from './sl.ts';

/** From here on `sl` and all else use `base/state` and `base/cache`. */
export async function useState(base: string): Promise<void> {
  process.env.XDG_STATE_HOME = join(base, 'state');
  process.env.XDG_CACHE_HOME = join(base, 'cache');
  await makeDirectories(findDirectories());
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

/** Ends the controller and destroys every node of this state, however they were left. */
export async function clearState(): Promise<void> {
  await sl(['controller', 'stop', '--force']);
  const directories = findDirectories();
  const provider = new LocalProvider(directories);
  const signal = AbortSignal.timeout(120_000);
  const nodes = await readdir(join(directories.state, 'local/nodes')).catch(() => []);
  const gone = await Promise.allSettled(nodes.map((id) => provider.destroy(id, signal)));
  for (const outcome of gone) if (outcome.status === 'rejected') throw outcome.reason;
  await provider.cleanUp('any', signal);
  await rm(directories.state, { recursive: true, force: true });
  await makeDirectories(directories);
}
