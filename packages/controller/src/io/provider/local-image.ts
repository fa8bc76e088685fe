import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { exists } from '@silverlining/system';
import { LOCAL_IMAGES, suiteOf } from '../../core/local-images.ts';
import { type FileLock, withFileLock } from '../file-lock.ts';
import { diskCommand, hostCommand } from '../host-packages.ts';

/**
 * A small Debian server, without Node, sudo or curl. The second half is what every node gets anyway, and of what roles bring
 * that which does nothing by itself: to install it on each node takes longer than all else that is done there.
 */
const PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'openssh-server',
  'iproute2',
  'ifupdown',
  'netbase',
  'procps',
  'ca-certificates',
  'logrotate',
  'nftables',
  'systemd-timesyncd',
  'unattended-upgrades',
  'apache2-bin',
  'apache2-data',
  'apache2-utils',
  'gunicorn',
  'mariadb-client',
];

/** What systemd asks at the boot and each time that units change, of disks and kernels that containers do not have. */
const GENERATORS = [
  'cryptsetup',
  'debug',
  'gpt-auto',
  'hibernate-resume',
  'integritysetup',
  'run',
  'system-update',
  'veritysetup',
];

/**
 * Manuals, documents and translations take most of the time of an apt run, and fsync of each file most of the rest. The nodes have
 * these options too. A retry comes at once: apt 2.6 never wakes up for one that it puts off, and the cache of packages answers 503
 * when many nodes ask for the same list in one moment.
 */
const APT_OPTIONS = ['Acquire::Languages "none"', 'Acquire::Retries "3"', 'Acquire::Retries::Delay "false"'];
const DPKG_OPTIONS = [
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/locale/*',
  ...GENERATORS.map((name) => `path-exclude=*/systemd/system-generators/systemd-${name}-generator`),
  'force-unsafe-io',
];

/** What mmdebstrap mounts in the image goes with it, even when it is killed. */
const PRIVATE_MOUNTS = ['unshare', '--mount', '--propagation', 'private', '--'];

const BUILD_TIMEOUT_MS = 15 * 60_000;

export interface ImageRequest {
  /** `debian:bookworm`, `debian:13`, ... */
  name: string;
  /** Shared by all state directories. */
  cache: string;
  /** Images that nodes of this state directory stand on. */
  images: string;
  report: (text: string) => void;
  signal: AbortSignal;
}

/**
 * Makes sure that the image is among those of the state directory, and returns its directory name. It is built once into
 * the cache; the state directory then holds hard links, so that deleting the cache never takes the ground from under a node.
 */
export async function ensureImage(request: ImageRequest): Promise<string> {
  const suite = requireSuite(request.name);
  const id = imageId(suite);
  const own = join(request.images, id);
  if (await exists(own)) return id;
  const cached = join(request.cache, 'images', id);
  await mkdir(join(request.cache, 'images'), { recursive: true });
  const lock = join(request.cache, 'images', `${suite}.lock`);
  await withFileLock(lock, { signal: request.signal, deadline: BUILD_TIMEOUT_MS }, async (held) => {
    if (!(await exists(cached))) await build(request, { suite, cached, held });
    if (!(await exists(own))) await adopt(cached, { suite, own }, request.signal);
  });
  return id;
}

/** Throws SlError E_PROVIDER for an image that there is not. */
export function requireSuite(image: string): string {
  const suite = suiteOf(image);
  if (suite !== undefined) return suite;
  const known = LOCAL_IMAGES.map(({ id }) => id).join(', ');
  throw new SlError('E_PROVIDER', `local nodes have no image "${image}"; there are ${known}`);
}

function imageId(suite: string): string {
  const recipe = JSON.stringify(mmdebstrapArgv(suite, ''));
  return idOf(suite, createHash('sha256').update(recipe).digest('hex').slice(0, 10));
}

function idOf(suite: string, digest: string): string {
  return `debian-${suite}-${digest}`;
}

interface Build {
  suite: string;
  cached: string;
  held: FileLock;
}

async function build(request: ImageRequest, { suite, cached, held }: Build): Promise<void> {
  request.report(`building the image debian:${suite}, once; this takes a minute or so`);
  const images = join(request.cache, 'images');
  await removeUnfinished(images, suite);
  const temporary = `${cached}.tmp-${randomUUID()}`;
  await hostCommand([...PRIVATE_MOUNTS, ...mmdebstrapArgv(suite, temporary)], {
    signal: request.signal,
    deadline: BUILD_TIMEOUT_MS,
    onLine: (line) => reportStage(line, request.report),
    // A builder that outlives a killed controller keeps the lock, so that nobody removes its directory under it.
    descriptors: [held.descriptor],
  });
  await neutralise(temporary);
  await diskCommand(['sync', '--file-system', temporary]);
  await rename(temporary, cached);
  // Of other recipes: nodes that stand on one have links of their own.
  await removeImages(images, suite, (name) => join(images, name) !== cached);
}

function mmdebstrapArgv(suite: string, target: string): string[] {
  return [
    'mmdebstrap',
    '--mode=root',
    '--variant=minbase',
    // Nodes of a young image need not fetch them, and those of an old one fetch what is new.
    '--skip=cleanup/apt/lists',
    `--include=${PACKAGES.join(',')}`,
    ...APT_OPTIONS.map((text) => `--aptopt=${text}`),
    ...DPKG_OPTIONS.map((text) => `--dpkgopt=${text}`),
    suite,
    target,
  ];
}

function reportStage(line: string, report: (text: string) => void): void {
  const stage =
    /^I: (running apt-get update|downloading packages|extracting archives|installing (?:essential|remaining) packages)/.exec(
      line,
    )?.[1];
  if (stage !== undefined) report(`image: ${stage.replace(/\.+$/, '')}`);
}

/** Takes out what each node has of its own, and what mmdebstrap copied from this machine. */
async function neutralise(root: string): Promise<void> {
  const keys = (await readdir(join(root, 'etc/ssh'))).filter((name) => name.startsWith('ssh_host_'));
  for (const key of keys) await rm(join(root, 'etc/ssh', key));
  await rm(join(root, 'etc/hostname'), { force: true });
  await writeFile(join(root, 'etc/machine-id'), '');
  // Names are resolved by /etc/hosts and, for packages, by the host's package cache.
  await rm(join(root, 'etc/resolv.conf'), { force: true });
  await writeFile(join(root, 'etc/resolv.conf'), '', { mode: 0o644 });
}

async function adopt(
  cached: string,
  { suite, own }: { suite: string; own: string },
  signal: AbortSignal,
): Promise<void> {
  await mkdir(join(own, '..'), { recursive: true, mode: 0o700 });
  await removeUnfinished(join(own, '..'), suite);
  const temporary = `${own}.tmp-${randomUUID()}`;
  const linked = await diskCommand(['cp', '--archive', '--link', '--', cached, temporary], { signal, allowExit: [1] });
  if (linked.exitCode !== 0) {
    // Another file system: a copy, sharing blocks where the file system can.
    await diskCommand(['rm', '-rf', '--', temporary]);
    await diskCommand(['cp', '--archive', '--reflink=auto', '--', cached, temporary], { signal });
  }
  await diskCommand(['sync', '--file-system', temporary]);
  await rename(temporary, own);
}

function removeUnfinished(directory: string, suite: string): Promise<void> {
  return removeImages(directory, suite, (name) => name.includes('.tmp-'));
}

/** Those of other suites may be being made meanwhile. */
async function removeImages(directory: string, suite: string, which: (name: string) => boolean): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(idOf(suite, '')) && which(name));
  for (const name of names) await diskCommand(['rm', '-rf', '--one-file-system', '--', join(directory, name)]);
}
