import { constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { SlError } from '@silverlining/protocol';
import { type ExecOptions, type ExecResult, exec, exists } from '@silverlining/system';

/** A file whose presence shows that the Debian package is installed: a command of the PATH, or an absolute path. */
export interface HostNeed {
  file: string;
  package: string;
}

const LOCAL_NEEDS: readonly HostNeed[] = [
  { file: 'systemd-nspawn', package: 'systemd-container' },
  { file: 'mmdebstrap', package: 'mmdebstrap' },
  { file: 'apt-cacher-ng', package: 'apt-cacher-ng' },
  { file: 'ip', package: 'iproute2' },
  { file: 'ssh', package: 'openssh-client' },
  { file: 'ssh-keygen', package: 'openssh-client' },
  { file: 'unshare', package: 'util-linux' },
  { file: 'flock', package: 'util-linux' },
  { file: '/usr/share/keyrings/debian-archive-keyring.gpg', package: 'debian-archive-keyring' },
];

const INSTALL_TIMEOUT_MS = 15 * 60_000;
const DISK_TIMEOUT_MS = 15 * 60_000;

/** Debian packages that local nodes need and this machine has not, sorted. */
export async function missingHostPackages(needs: readonly HostNeed[] = LOCAL_NEEDS): Promise<string[]> {
  const missing = new Set<string>();
  for (const need of needs) if (!(await isPresent(need.file))) missing.add(need.package);
  return [...missing].sort();
}

/** Throws SlError E_HOST_PACKAGES, naming the packages (also in `details.packages`) and the command that installs them. */
export async function requireHostPackages(): Promise<void> {
  const packages = await missingHostPackages();
  if (packages.length === 0) return;
  throw new SlError(
    'E_HOST_PACKAGES',
    `local nodes need packages that this machine does not have: ${packages.join(', ')}. ` +
      `Run "${installCommand(packages).join(' ')}", or run sl again with --yes to let it do that`,
    { details: { packages } },
  );
}

/** apt 2.6 never wakes up for a retry that it puts off. */
const RETRY_AT_ONCE = ['-o', 'Acquire::Retries::Delay=false'];

/** Installs what is missing of `needs` (local nodes' when not given), for a user who agreed to it. */
export async function installHostPackages(
  report: (text: string) => void,
  signal: AbortSignal,
  needs?: readonly HostNeed[],
): Promise<void> {
  const packages = await missingHostPackages(needs);
  if (packages.length === 0) return;
  report(`installing ${packages.join(', ')} on this machine`);
  const env = { ...hostEnvironment(), DEBIAN_FRONTEND: 'noninteractive' };
  const options = { signal, env, deadline: INSTALL_TIMEOUT_MS, code: 'E_HOST_PACKAGES' as const };
  await exec(['apt-get', 'update', ...RETRY_AT_ONCE], options);
  await exec([...installCommand(packages), ...RETRY_AT_ONCE], options);
  await requireHostPackages();
}

/** Runs a command of the host's system with E_PROVIDER as its error; the sbin directories count as on the PATH. */
export function hostCommand(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  return exec(argv, { code: 'E_PROVIDER', deadline: 60_000, env: hostEnvironment(), ...options });
}

/** One that goes through a tree of files, whose disk may be slow or busy. */
export function diskCommand(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  return hostCommand(argv, { deadline: DISK_TIMEOUT_MS, ...options });
}

/** This process's environment, with the system's own directories on the PATH and untranslated output. */
export function hostEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath().join(delimiter), LC_ALL: 'C.UTF-8' };
}

function installCommand(packages: readonly string[]): string[] {
  return ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages];
}

function searchPath(): string[] {
  const given = (process.env.PATH ?? '').split(delimiter).filter((part) => part !== '');
  return [...new Set([...given, '/usr/local/sbin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'])];
}

async function isPresent(file: string): Promise<boolean> {
  const candidates = file.startsWith('/') ? [file] : searchPath().map((directory) => join(directory, file));
  for (const candidate of candidates) {
    const mode = file.startsWith('/') ? constants.R_OK : constants.X_OK;
    if (await exists(candidate, mode)) return true;
  }
  return false;
}
