/** How apt and dpkg are called, and what their output means. */

/** Seconds that apt waits for another package manager to finish. */
export const LOCK_TIMEOUT = 300;
/** Milliseconds; younger package lists are not fetched again unless a package is unknown. */
export const LISTS_FRESH = 3_600_000;

export const APT_ENV = {
  DEBIAN_FRONTEND: 'noninteractive',
  DEBCONF_NONINTERACTIVE_SEEN: 'true',
  APT_LISTCHANGES_FRONTEND: 'none',
  NEEDRESTART_MODE: 'l',
  // Lines that are parsed below.
  LC_ALL: 'C.UTF-8',
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
};

/**
 * A retry must come at once: apt 2.6 never wakes up for one that it puts off while its other downloads end, and hangs
 * until somebody kills it. The pauses are the caller's.
 */
const RETRIES = ['-o', 'Acquire::Retries=3', '-o', 'Acquire::Retries::Delay=false'];
const OPTIONS = ['-o', `DPkg::Lock::Timeout=${LOCK_TIMEOUT}`, ...RETRIES];

export function aptUpdateArgv(): string[] {
  return ['apt-get', '-q', ...OPTIONS, '-o', 'APT::Update::Error-Mode=any', 'update'];
}

/** Configuration files that somebody changed are kept; recommended packages are not pulled in. */
const INSTALL = [
  ...['apt-get', '-q', '-y', ...OPTIONS],
  ...['-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold', '--no-install-recommends'],
];

const KEEP = '--no-remove';

/** Where they `replace`, what conflicts with them is removed. */
export function aptInstallArgv(names: readonly string[], replace: boolean): string[] {
  return [...INSTALL, ...(replace ? [] : [KEEP]), 'install', '--', ...names];
}

/**
 * Brings what packages lack that were unpacked before it, as when dpkg was cut off between them; they cannot be configured without.
 * Nothing is removed for that.
 */
export const APT_FIX_ARGV = [...INSTALL, KEEP, '--fix-broken', 'install'];

export const DPKG_CONFIGURE_ARGV = ['dpkg', '--force-confdef', '--force-confold', '--configure', '-a'];

export type AptFailure =
  | { kind: 'locked'; holder: string | undefined }
  | { kind: 'unknown-packages'; names: string[] }
  | { kind: 'interrupted' }
  | { kind: 'removal'; names: string[] }
  | { kind: 'fetch' }
  | { kind: 'other' };

/** Why apt failed, from what it printed: it has one exit status for everything. */
export function aptFailure(output: string): AptFailure {
  if (/dpkg was interrupted|dpkg --configure -a/.test(output)) return { kind: 'interrupted' };
  const unknown = [
    ...output.matchAll(
      /(?:Unable to locate package|Package '?([a-z0-9][a-z0-9+.-]*)'? has no installation candidate)\s*([a-z0-9][a-z0-9+.-]*)?/g,
    ),
  ];
  const names = unknown.map((match) => match[1] ?? match[2]).filter((name) => name !== undefined);
  if (names.length > 0) return { kind: 'unknown-packages', names: [...new Set(names)] };
  if (output.includes('remove is disabled')) return { kind: 'removal', names: removed(output) };
  if (
    /Could not get lock|Unable to lock|Unable to acquire the dpkg frontend lock|frontend lock was locked/.test(output)
  ) {
    return { kind: 'locked', holder: lockHolder(output) };
  }
  if (/Failed to fetch|Could not resolve|Connection failed|Unable to fetch some archives/.test(output)) {
    return { kind: 'fetch' };
  }
  return { kind: 'other' };
}

/** Names in apt's list of what it would remove, of several indented lines. */
function removed(output: string): string[] {
  const [, list = ''] = /will be REMOVED:\n((?: +.*\n)*)/.exec(output) ?? [];
  return list.split(/[\s*]+/).filter((name) => name !== '');
}

/** `PID (NAME)` of the process that holds a lock, in a line of apt's. */
export function lockHolder(output: string): string | undefined {
  const match = /held by process (\d+)(?: \(([^)]+)\))?/.exec(output);
  if (match?.[1] === undefined) return undefined;
  return match[2] === undefined ? `process ${match[1]}` : `${match[2]} (process ${match[1]})`;
}
