import { setTimeout as sleep } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { type ExecResult, logOf, readdir, readFile, stat, writeFile } from '@silverlining/system';
import {
  APT_ENV,
  APT_FIX_ARGV,
  type AptFailure,
  aptFailure,
  aptInstallArgv,
  aptUpdateArgv,
  DPKG_CONFIGURE_ARGV,
  LISTS_FRESH,
  LOCK_TIMEOUT,
  lockHolder,
} from '../core/converge/apt.ts';
import { installedPackages, isInterrupted } from '../core/converge/dpkg-status.ts';
import { createSerial } from './serial.ts';
import { execApart } from './systemd.ts';

const STATUS = '/var/lib/dpkg/status';
const LISTS = '/var/lib/apt/lists';
/** Its time is that of our last `apt-get update`: apt leaves the lists as they are when nothing is new. */
const STAMP = '/var/lib/silverlining/agent/apt-lists.stamp';
/** Milliseconds for one call of apt-get; the wait for the lock and slow mirrors are within. */
const DEADLINE = 25 * 60_000;
/** Milliseconds for one `apt-get update`, the wait for the lock within. */
const UPDATE_DEADLINE = 5 * 60_000;
const TRIES = 4;
/** Milliseconds; the n-th pause before a fetch is tried again is n times as long. */
const RETRY_PAUSE = 2_000;

export interface AptContext {
  signal: AbortSignal;
  /** What is going on, for people. */
  say(text: string): void;
  /**
   * Whether what conflicts with the packages is removed for them: for those that an app names itself. A role that would need that fails: what
   * goes may be a database server of the user's own.
   */
  replace?: boolean;
}

/** apt has one lock for the machine; converge and a release's packages wait here, where no timeout counts. */
const serial = createSerial();

interface DpkgState {
  /** Which file it was read from: dpkg never changes its status file, it puts another one in its place. */
  stamp: string;
  installed: ReadonlySet<string>;
  interrupted: boolean;
}

let lastState: DpkgState | undefined;

/** Names of the installed packages. The status file, a megabyte on most nodes, is read again when there is a new one. */
export async function readInstalled(): Promise<ReadonlySet<string>> {
  return (await readState()).installed;
}

async function readState(): Promise<DpkgState> {
  const { ino, size, mtimeNs } = await stat(STATUS, { bigint: true });
  const stamp = `${ino} ${size} ${mtimeNs}`;
  if (lastState?.stamp === stamp) return lastState;
  const status = await readFile(STATUS, 'utf8');
  // Copies of the names: V8 keeps a whole text for as long as there is a part of it.
  const names: string[] = JSON.parse(JSON.stringify([...installedPackages(status)]));
  lastState = { stamp, installed: new Set(names), interrupted: isInterrupted(status) };
  return lastState;
}

/**
 * Installs those of `names` that are missing; false when none was. Finishes an interrupted dpkg first. Package lists are
 * fetched when they are absent, older than an hour, or know a package not. E_PACKAGES names the package that there is
 * not, or who holds the lock, with apt's last lines.
 */
export function installPackages(names: readonly string[], context: AptContext): Promise<boolean> {
  return serial(async () => {
    const { installed, interrupted } = await readState();
    const missing = names.filter((name) => !installed.has(name));
    if (missing.length === 0) return false;
    if (interrupted) await finishInterrupted(context);
    if (!(await listsAreFresh())) await update(context);
    await installWithRetries(missing, context);
    const now = await readInstalled();
    const still = names.filter((name) => !now.has(name));
    if (still.length > 0) throw new SlError('E_PACKAGES', `not installed although apt succeeded: ${still.join(', ')}`);
    return true;
  });
}

async function installWithRetries(names: readonly string[], context: AptContext): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    context.say(`installing ${names.join(' ')}`);
    const result = await apt(aptInstallArgv(names, context.replace === true), context);
    if (result.exitCode === 0) return;
    const failure = aptFailure(`${result.stdout}\n${result.stderr}`);
    if (attempt === TRIES || !(await remedied(failure, attempt, context))) throw aptError(failure, names, result);
  }
}

/** Does what may help against a failure; false when nothing will. */
async function remedied(failure: AptFailure, attempt: number, context: AptContext): Promise<boolean> {
  if (failure.kind === 'interrupted') {
    await finishInterrupted(context);
    return true;
  }
  // Lists that are an hour old may name versions that the mirror dropped, or not know a new package yet.
  if (failure.kind === 'fetch' || (failure.kind === 'unknown-packages' && attempt === 1)) {
    await update(context);
    return true;
  }
  return false;
}

async function update(context: AptContext): Promise<void> {
  context.say('fetching package lists');
  const result = await fetchLists(context);
  if (result.exitCode !== 0) {
    const failure = aptFailure(`${result.stdout}\n${result.stderr}`);
    throw aptError(failure.kind === 'other' ? { kind: 'fetch' } : failure, [], result);
  }
  await writeFile(STAMP, '').catch(() => undefined);
}

/** A mirror that fails for a moment, or a connection that hangs, must not end the work: lists are small, so try again. */
async function fetchLists(context: AptContext): Promise<ExecResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await apt(aptUpdateArgv(), context, UPDATE_DEADLINE);
      if (attempt === TRIES || !isFetchFailure(result)) return result;
    } catch (error) {
      if (attempt === TRIES || !(error instanceof SlError) || error.code !== 'E_DEADLINE') throw error;
    }
    context.say(`package lists could not be fetched: trying again (${attempt} of ${TRIES - 1})`);
    await sleep(attempt * RETRY_PAUSE, undefined, { signal: context.signal });
  }
}

function isFetchFailure(result: ExecResult): boolean {
  return result.exitCode !== 0 && aptFailure(`${result.stdout}\n${result.stderr}`).kind === 'fetch';
}

async function finishInterrupted(context: AptContext): Promise<void> {
  context.say('an earlier package installation was interrupted: finishing it');
  if ((await apt(DPKG_CONFIGURE_ARGV, context)).exitCode === 0) return;
  if (!(await listsAreFresh())) await update(context);
  const result = await apt(APT_FIX_ARGV, context);
  if (result.exitCode === 0) return;
  throw new SlError(
    'E_PACKAGES',
    'an earlier installation cannot be finished: dpkg --configure -a failed, and so did apt-get --fix-broken install',
    { details: { log: logOf(result) } },
  );
}

function apt(argv: readonly string[], context: AptContext, deadline = DEADLINE): Promise<ExecResult> {
  let known: string | undefined;
  return execApart(argv, {
    env: APT_ENV,
    signal: context.signal,
    deadline,
    allowExit: 'any',
    code: 'E_PACKAGES',
    onLine: (line) => {
      const holder = /Waiting for cache lock/.test(line) ? lockHolder(line) : undefined;
      if (holder === undefined || holder === known) return;
      known = holder;
      context.say(`waiting for ${holder}, which holds the package manager's lock`);
    },
  });
}

function aptError(failure: AptFailure, names: readonly string[], result: ExecResult): SlError {
  return new SlError('E_PACKAGES', messageOf(failure, names), { details: { log: logOf(result) } });
}

function messageOf(failure: AptFailure, names: readonly string[]): string {
  switch (failure.kind) {
    case 'locked':
      return `the package manager is locked by ${failure.holder ?? 'another process'} for more than ${LOCK_TIMEOUT} s`;
    case 'unknown-packages':
      return `no such package: ${failure.names.join(', ')}`;
    case 'removal': {
      const others = failure.names.join(', ');
      return `${names.join(', ')} cannot be installed beside ${others}, and nothing was changed: where nobody needs that, remove it with apt-get remove`;
    }
    case 'fetch':
      return names.length === 0 ? 'package lists could not be fetched' : `${names.join(', ')} could not be fetched`;
    default:
      return `${names.join(', ')} could not be installed`;
  }
}

async function listsAreFresh(): Promise<boolean> {
  const files = await readdir(LISTS).catch(() => []);
  if (!files.some((name) => name.includes('_Packages'))) return false;
  const times = await Promise.all(
    [STAMP, LISTS].map((path) =>
      stat(path).then(
        (it) => it.mtimeMs,
        () => 0,
      ),
    ),
  );
  return Date.now() - Math.max(...times) < LISTS_FRESH;
}
