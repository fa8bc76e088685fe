import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { writeFileDurable } from '@silverlining/system';
import { type FileLock, tryLockFile } from '../file-lock.ts';
import { hostEnvironment } from '../host-packages.ts';
import { startDetached } from './detached.ts';
import { controlGroups, destroyGroups, isPopulated, makeGroups } from './local-cgroup.ts';
import type { LocalNetwork } from './local-network.ts';

const START_DEADLINE_MS = 15_000;
const PROBE_TIMEOUT_MS = 2_000;
const POLL_MS = 50;
const MAX_STORES = 64;

/** Keeps apt-cacher-ng running whatever ends it; killed as a control group. `$1` are the groups, `$2` its configuration. */
const SUPERVISOR = `
for group in $1; do echo 0 > "$group/launcher/cgroup.procs" || exit 1; done
while :; do apt-cacher-ng -c "$2"; sleep 1; done
`;

export interface PackageCacheOptions {
  network: LocalNetwork;
  /** Private directory of this instance: configuration and logs. */
  directory: string;
  /** Under it are the stores of packages; each instance takes the first that no other one uses. */
  cache: string;
  signal: AbortSignal;
}

/** The proxy URL for apt on the nodes. */
export function packageProxyUrl(network: LocalNetwork): string {
  return `http://${network.hostAddress}:${network.packagePort}`;
}

/** Starts apt-cacher-ng on the bridge's address unless it runs, and waits until it answers. It outlives the controller. */
export async function ensurePackageCache(options: PackageCacheOptions): Promise<void> {
  const url = packageProxyUrl(options.network);
  if (await answers(url, options.signal)) return;
  const groups = await controlGroups(groupName(options.directory));
  if (!(await isPopulated(groups))) await start(options);
  const deadline = Date.now() + START_DEADLINE_MS;
  while (!(await answers(url, options.signal))) {
    if (options.signal.aborted) throw new SlError('E_ABORTED', 'waiting for the package cache was cancelled');
    if (Date.now() > deadline) throw notAnswering(url, options.directory);
    await sleep(POLL_MS);
  }
}

/** Stops the instance of that directory, if it runs. */
export async function stopPackageCache(directory: string): Promise<void> {
  await destroyGroups(await controlGroups(groupName(directory)));
}

async function start(options: PackageCacheOptions): Promise<void> {
  const { directory } = options;
  const store = await claimStore(options.cache);
  try {
    await mkdir(join(directory, 'log'), { recursive: true, mode: 0o700 });
    await writeFileDurable(join(directory, 'acng.conf'), configuration(options, store.directory));
    const groups = await controlGroups(groupName(directory));
    await makeGroups(groups);
    await startDetached({
      argv: ['sh', '-c', SUPERVISOR, 'silverlining-packages', groups.paths.join(' '), directory],
      env: hostEnvironment(),
      log: join(directory, 'output.log'),
      // Two instances would damage a store; this one has the lock for as long as it lives.
      descriptors: [store.lock.descriptor],
    });
  } finally {
    await store.lock.release();
  }
}

async function claimStore(cache: string): Promise<{ directory: string; lock: FileLock }> {
  for (let number = 0; number < MAX_STORES; number += 1) {
    const directory = join(cache, 'packages', String(number));
    await mkdir(join(directory, 'store'), { recursive: true });
    const lock = await tryLockFile(join(directory, 'lock'));
    if (lock !== undefined) return { directory: join(directory, 'store'), lock };
  }
  throw new SlError('E_PROVIDER', `all ${MAX_STORES} package stores in ${cache} are in use`);
}

/** Only what is wanted: the packaged defaults send Debian's archive to a mirror of their own choice. */
function configuration(options: PackageCacheOptions, store: string): string {
  const upstream = process.env.http_proxy;
  const lines = [
    `CacheDir: ${store}`,
    `LogDir: ${join(options.directory, 'log')}`,
    'SupportDir: /usr/lib/apt-cacher-ng',
    `BindAddress: ${options.network.hostAddress}`,
    `Port: ${options.network.packagePort}`,
    'ForeGround: 1',
    'VerboseLog: 0',
    'ExThreshold: 30',
    // Of two requests within a second that find a package list outdated, the second one is answered with an error.
    'FreshIndexMaxAge: 1800',
    ...(upstream === undefined || upstream === '' ? [] : [`Proxy: ${upstream}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** apt-cacher-ng meets a plain request for `/` with a page about its use, status 406. */
async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]) });
    return /apt-cacher/i.test(await response.text());
  } catch {
    return false;
  }
}

function notAnswering(url: string, directory: string): SlError {
  return new SlError(
    'E_PROVIDER',
    `apt-cacher-ng does not answer at ${url}; its output is in ${join(directory, 'output.log')}`,
  );
}

function groupName(directory: string): string {
  return `packages-${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`;
}
