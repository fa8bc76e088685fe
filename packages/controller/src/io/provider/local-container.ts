import { mkdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SlError } from '@silverlining/protocol';
import { hostCommand, hostEnvironment } from '../host-packages.ts';
import { startDetached } from './detached.ts';
import { type ControlGroups, controlGroups, destroyGroups, isPopulated, makeGroups } from './local-cgroup.ts';
import { PLAIN_DIRECTORIES, plainSource } from './local-disk.ts';
import type { NodePaths, NodeRecord } from './local-node-record.ts';

/**
 * Runs a node until it is powered off. It has its own mount namespace, so the kernel unmounts the node's disk when the
 * last process is gone, however it went. One of a controller that was killed may come late, beside that of the next one: the
 * lock lets one of them go on. Exit status 133 is systemd-nspawn's for a reboot that its caller is to carry out.
 * Arguments: control groups, node directory, its number of bind mounts, their sources and targets, and the command.
 */
const LAUNCHER = `
set -e
groups=$1 directory=$2 binds=$3
shift 3
join() { for group in $groups; do echo 0 > "$group$1/cgroup.procs"; done; }
join /launcher
cd "$directory"
exec 9> lock
flock --nonblock 9 || exit 0
mount -t overlay silverlining -o lowerdir=lower,upperdir=upper,workdir=work root
while [ "$binds" -gt 0 ]; do
  mkdir -p "root/$2"
  mount --bind "$1" "root/$2"
  shift 2
  binds=$((binds - 1))
done
status=133
while [ "$status" = 133 ]; do
  status=0
  (join ''; exec "$@") || status=$?
done
exit "$status"
`;

const BOOT_DEADLINE_MS = 60_000;
const SSH_PATIENCE_MS = 6_000;
const CONNECT_TIMEOUT_MS = 300;
const GREETING_TIMEOUT_MS = 2_000;
const POLL_MS = 20;
const SSH_PORT = 22;

/** Whether the node runs. */
export async function isRunning(record: NodeRecord): Promise<boolean> {
  return isPopulated(await nodeGroups(record.uuid));
}

export interface BootOptions {
  bridge: string;
  /** Whether the node may be one whose sshd was switched off after its bootstrap: then running is enough, after a while. */
  withoutSsh: boolean;
  signal: AbortSignal;
}

/** Starts the node if it does not run and waits until its sshd answers. */
export async function bootNode(paths: NodePaths, record: NodeRecord, options: BootOptions): Promise<void> {
  const groups = await nodeGroups(record.uuid);
  const wasRunning = await isPopulated(groups);
  if (!wasRunning) await launch(paths, record, { groups, bridge: options.bridge });
  const outcome = await waitForSsh(record, groups, options);
  if (outcome === 'answers') return;
  // It was about to go down when we looked; now it is down and can be started.
  if (outcome === 'ended' && wasRunning) {
    await launch(paths, record, { groups, bridge: options.bridge });
    if ((await waitForSsh(record, groups, options)) === 'answers') return;
  }
  throw await bootError(paths, record, outcome);
}

/** Kills whatever runs of the node, mounts and network with it. Knows the node by its id alone, and may be repeated. */
export async function killNode(paths: NodePaths, uuid: string): Promise<void> {
  await destroyGroups(await nodeGroups(uuid));
  // The kernel removes the interface with its namespace, but in its own time; 1: it is gone.
  await hostCommand(['ip', 'link', 'delete', paths.hostInterface], { allowExit: [1] });
  await rm(paths.runtimeDirectory, { recursive: true, force: true });
}

function nodeGroups(uuid: string): Promise<ControlGroups> {
  return controlGroups(uuid);
}

async function launch(
  paths: NodePaths,
  record: NodeRecord,
  how: { groups: ControlGroups; bridge: string },
): Promise<void> {
  await makeGroups(how.groups);
  // /run forgets it at a reboot of the machine, and systemd-nspawn expects it.
  await mkdir(dirname(paths.runtimeDirectory), { recursive: true });
  const binds = PLAIN_DIRECTORIES.flatMap((plain) => [relative(paths.directory, plainSource(paths, plain)), plain]);
  const script = ['sh', '-c', LAUNCHER, 'silverlining-node', how.groups.paths.join(' '), paths.directory];
  await startDetached({
    argv: [
      ...['unshare', '--mount', '--propagation', 'private', '--', ...script],
      ...[String(PLAIN_DIRECTORIES.length), ...binds, ...nspawnArgv(paths, record, how.bridge)],
    ],
    // cgroup v2 is what Debian 12 and 13 have on real machines, and the only one that Debian 13 boots on.
    env: { PATH: hostEnvironment().PATH, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1', SYSTEMD_NSPAWN_LOCK: '0' },
    log: paths.log,
  });
}

function nspawnArgv(paths: NodePaths, record: NodeRecord, bridge: string): string[] {
  return [
    'systemd-nspawn',
    '--quiet',
    '--boot',
    // Neither machined nor a unit of its own: the control groups are ours.
    '--register=no',
    '--keep-unit',
    `--machine=${paths.machine}`,
    `--hostname=${record.name}`,
    `--directory=${paths.root}`,
    `--network-bridge=${bridge}`,
    '--capability=CAP_NET_ADMIN',
    '--console=pipe',
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
  ];
}

/** `answers`: as much as was asked for. */
type Outcome = 'answers' | 'ended' | 'deadline';

async function waitForSsh(
  record: NodeRecord,
  groups: ControlGroups,
  { withoutSsh, signal }: BootOptions,
): Promise<Outcome> {
  const deadline = Date.now() + (withoutSsh ? SSH_PATIENCE_MS : BOOT_DEADLINE_MS);
  // The launcher joins its control group a moment after it was started.
  const mustRunFrom = Date.now() + 2_000;
  while (Date.now() < deadline) {
    if (signal.aborted)
      throw new SlError('E_ABORTED', `waiting for ${record.name} was cancelled`, { details: { node: record.name } });
    if (await greets(record.address)) return 'answers';
    if (Date.now() > mustRunFrom && !(await isPopulated(groups))) return 'ended';
    await sleep(POLL_MS);
  }
  return withoutSsh && (await isPopulated(groups)) ? 'answers' : 'deadline';
}

/** Whether sshd greets us: a connection alone may be one that the kernel accepted for a process that is about to die. */
function greets(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: SSH_PORT });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => done(false));
    socket.once('connect', () => socket.setTimeout(GREETING_TIMEOUT_MS));
    socket.once('data', (data) => done(data.toString('latin1').startsWith('SSH-')));
    socket.once('end', () => done(false));
    socket.once('error', () => done(false));
  });
}

async function bootError(paths: NodePaths, record: NodeRecord, outcome: Outcome): Promise<SlError> {
  const text = await readFile(paths.log, 'utf8').catch(() => '');
  const log = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-20);
  const what =
    outcome === 'ended' ? 'ended while it was booting' : `did not take SSH connections in ${BOOT_DEADLINE_MS / 1000} s`;
  return new SlError('E_PROVIDER', `${record.name} ${what}; its console is in ${paths.log}`, {
    details: { node: record.name, log },
  });
}
